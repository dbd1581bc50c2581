-- Conversions as they are now: withdrawn ones are gone, moved ones are with their new account.
CREATE OR REPLACE VIEW v_conversions AS
SELECT
    tenant,
    conversion_id,
    account_id,
    person_id,
    stage,
    fromUnixTimestamp64Milli(occurred_at, 'UTC') AS occurred_at,
    amount,
    currency,
    opportunity_id,
    event_id
FROM conversions FINAL
WHERE NOT deleted;
