-- Conversions and amounts by what earned them, as booked now. What nets to zero is not shown.
CREATE OR REPLACE VIEW v_attribution AS
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
GROUP BY tenant, model, stage, channel, utm_source, utm_medium, utm_campaign, currency, month
HAVING conversions != 0 OR amount != 0;
