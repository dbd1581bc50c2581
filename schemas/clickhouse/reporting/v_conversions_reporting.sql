-- v_conversions with the value in the currency of reports, in whole minor units: NULL where no rate is known.
CREATE OR REPLACE VIEW v_conversions_reporting AS
WITH
    assumeNotNull((SELECT max(currency) FROM v_reporting)) AS reporting_currency,
    (SELECT max(fx_max_age_days) FROM v_reporting) AS max_age_days,
    (SELECT max(decimal_places) FROM v_reporting) AS places
SELECT
    c.tenant AS tenant,
    c.conversion_id AS conversion_id,
    c.account_id AS account_id,
    c.person_id AS person_id,
    c.stage AS stage,
    c.occurred_at AS occurred_at,
    c.amount AS amount,
    c.currency AS currency,
    c.opportunity_id AS opportunity_id,
    reporting_currency,
    multiIf(
        c.amount = 0 OR c.currency = reporting_currency, toDecimal128(1, 18),
        r.rate != 0 AND (max_age_days = 0 OR dateDiff('day', r.rate_day, c.conversion_day) <= max_age_days), r.rate,
        NULL
    ) AS rate,
    roundBankers(toDecimal256(c.amount, 4) * rate, places)::Nullable(Decimal(38, 4)) AS reporting_amount
FROM
(
    SELECT *, toDate32(v_conversions.occurred_at) AS conversion_day FROM v_conversions
) AS c
ASOF LEFT JOIN
(
    SELECT tenant, base AS currency, day AS rate_day, rate FROM v_fx_rates WHERE quote = reporting_currency
) AS r ON c.tenant = r.tenant AND c.currency = r.currency AND c.conversion_day >= r.rate_day;
