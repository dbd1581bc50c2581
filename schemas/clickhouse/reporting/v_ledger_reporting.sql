-- v_ledger with the amount in the currency of reports at the rate of the conversion's day: exact, not rounded, so that any
-- sum over it is exact, too. reporting_amount is NULL where no rate is known.
CREATE OR REPLACE VIEW v_ledger_reporting AS
WITH
    assumeNotNull((SELECT max(currency) FROM v_reporting)) AS reporting_currency,
    (SELECT max(fx_max_age_days) FROM v_reporting) AS max_age_days
SELECT
    b.* EXCEPT conversion_day,
    reporting_currency,
    multiIf(
        b.amount = 0 OR b.currency = reporting_currency, toDecimal128(1, 18),
        r.rate != 0 AND (max_age_days = 0 OR dateDiff('day', r.rate_day, b.conversion_day) <= max_age_days), r.rate,
        NULL
    ) AS rate,
    if(rate IS NULL OR b.currency = reporting_currency OR b.amount = 0, NULL, r.rate_day) AS rate_day,
    toDecimal256(b.amount, 4) * rate AS reporting_amount
FROM
(
    SELECT *, toDate32(v_ledger.conversion_at) AS conversion_day FROM v_ledger
) AS b
ASOF LEFT JOIN
(
    SELECT tenant, base AS currency, day AS rate_day, rate FROM v_fx_rates WHERE quote = reporting_currency
) AS r ON b.tenant = r.tenant AND b.currency = r.currency AND b.conversion_day >= r.rate_day;
