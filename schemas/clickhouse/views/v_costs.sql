-- What was spent: of each channel, campaign and day as it was reported last.
CREATE OR REPLACE VIEW v_costs AS
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
GROUP BY tenant, cost_ledger.day, channel, utm_source, utm_medium, utm_campaign, currency
HAVING sum(standing) > 0;
