-- v_attribution in the currency of reports. Each conversion is converted at the rate of its day and rounded to whole minor
-- units; its touches get parts of that by largest remainder, ties to the earliest touch, so they sum to it exactly.
-- reporting_amount is NULL, and unconverted is not 0, where a rate is missing.
CREATE OR REPLACE VIEW v_attribution_reporting AS
WITH
    assumeNotNull((SELECT max(currency) FROM v_reporting)) AS reporting_currency,
    (SELECT max(decimal_places) FROM v_reporting) AS places,
    transform(places, [0, 2, 3, 4], ['1', '0.01', '0.001', '0.0001'], '0.01')::Decimal(9, 4) AS unit,
    (SELECT max(fx_max_age_days) FROM v_reporting) AS max_age_days,
    line AS
    (
        SELECT
            tenant, conversion_id, account_id, stage, model, currency,
            toDate32(fromUnixTimestamp64Milli(ledger_shares.conversion_at, 'UTC')) AS conversion_day,
            touch_id, channel, utm_source, utm_medium, utm_campaign,
            min(touch_at) AS first_at, sum(ledger_shares.credit) AS credit, sum(ledger_shares.amount) AS amount
        FROM ledger_shares
        GROUP BY ALL
        HAVING credit != 0 OR amount != 0
    ),
    exact AS
    (
        SELECT
            l.*,
            multiIf(
                l.amount = 0 OR l.currency = reporting_currency, toDecimal128(1, 18),
                r.rate != 0 AND (max_age_days = 0 OR dateDiff('day', r.rate_day, l.conversion_day) <= max_age_days), r.rate,
                NULL
            ) AS rate,
            toDecimal256(l.amount, 4) * rate AS converted,
            trunc(converted, places) AS part
        FROM line AS l
        ASOF LEFT JOIN
        (
            SELECT tenant, base AS currency, day AS rate_day, rate FROM v_fx_rates WHERE quote = reporting_currency
        ) AS r ON l.tenant = r.tenant AND l.currency = r.currency AND l.conversion_day >= r.rate_day
    ),
    shared AS
    (
        SELECT
            *,
            roundBankers(sum(converted) OVER conversion, places) - sum(part) OVER conversion AS left_over,
            row_number() OVER (conversion ORDER BY abs(converted - part) DESC, first_at, touch_id, channel,
                utm_source, utm_medium, utm_campaign) AS turn
        FROM exact
        WINDOW conversion AS (PARTITION BY tenant, conversion_id, account_id, model, stage, currency, conversion_day)
    )
SELECT
    tenant,
    model,
    stage,
    channel,
    utm_source,
    utm_medium,
    utm_campaign,
    sum(credit) AS conversions,
    sum(shared.amount) AS amount,
    currency,
    reporting_currency,
    if(countIf(rate IS NULL) = 0, sum(part + if(turn * unit <= abs(left_over), sign(left_over) * unit, 0))::Decimal(38, 4), NULL)
        AS reporting_amount,
    sumIf(shared.amount, rate IS NULL) AS unconverted,
    toStartOfMonth(conversion_day) AS month
FROM shared
GROUP BY tenant, model, stage, channel, utm_source, utm_medium, utm_campaign, currency, month;
