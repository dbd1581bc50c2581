-- What email providers reported. Machine opens and scanner clicks are marked with the reason.
CREATE OR REPLACE VIEW v_email AS
SELECT
    tenant,
    event_id,
    message_id,
    recipient,
    campaign,
    event,
    fromUnixTimestamp64Milli(occurred_at, 'UTC') AS occurred_at,
    url,
    is_machine,
    reason,
    provider
FROM email;
