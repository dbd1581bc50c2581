-- Every booking as it was made. Sum credit or amount over any selection of rows: that is the number.
CREATE OR REPLACE VIEW v_ledger AS
SELECT
    tenant,
    conversion_id,
    account_id,
    stage,
    model,
    model_version,
    touch_id,
    channel,
    utm_source,
    utm_medium,
    utm_campaign,
    credit,
    amount,
    currency,
    fromUnixTimestamp64Milli(touch_at, 'UTC') AS touch_at,
    fromUnixTimestamp64Milli(conversion_at, 'UTC') AS conversion_at,
    fromUnixTimestamp64Milli(recorded_at, 'UTC') AS recorded_at,
    reason,
    cause_event_id
FROM ledger_shares;
