-- v_attribution as it was booked at a moment: SELECT ... FROM v_attribution_as_of(as_of = '2026-09-30 12:00:00').
-- A date alone means its first instant; times are UTC unless they name an offset.
CREATE OR REPLACE VIEW v_attribution_as_of AS
SELECT
    tenant,
    model,
    stage,
    channel,
    utm_source,
    utm_medium,
    utm_campaign,
    sum(credit) AS conversions,
    sum(ledger_shares.amount) AS amount,
    currency,
    toStartOfMonth(fromUnixTimestamp64Milli(conversion_at, 'UTC')) AS month
FROM ledger_shares
WHERE recorded_at <= toUnixTimestamp64Milli(parseDateTime64BestEffort({as_of:String}, 3, 'UTC'))
GROUP BY tenant, model, stage, channel, utm_source, utm_medium, utm_campaign, currency, month
HAVING conversions != 0 OR amount != 0;
