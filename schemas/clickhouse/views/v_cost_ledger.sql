-- Every booking of a cost as it was made. Sum amount over any selection of rows: that is what was spent.
CREATE OR REPLACE VIEW v_cost_ledger AS
SELECT
    tenant,
    cost_id,
    toDate32OrZero(day) AS day,
    channel,
    utm_source,
    utm_medium,
    utm_campaign,
    amount,
    currency,
    fromUnixTimestamp64Milli(recorded_at, 'UTC') AS recorded_at,
    reason,
    cause_event_id
FROM cost_ledger;
