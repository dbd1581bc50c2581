-- v_costs as it was known at a moment: SELECT ... FROM v_costs_as_of(as_of = '2026-09-30 12:00:00').
-- A date alone means its first instant; times are UTC unless they name an offset.
CREATE OR REPLACE VIEW v_costs_as_of AS
SELECT
    tenant,
    toDate32OrZero(day) AS day,
    channel,
    utm_source,
    utm_medium,
    utm_campaign,
    sum(cost_ledger.amount) AS amount,
    currency
FROM cost_ledger
WHERE recorded_at <= toUnixTimestamp64Milli(parseDateTime64BestEffort({as_of:String}, 3, 'UTC'))
GROUP BY tenant, cost_ledger.day, channel, utm_source, utm_medium, utm_campaign, currency
HAVING sum(standing) > 0;
