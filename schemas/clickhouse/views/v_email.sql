-- What email providers reported. Machine opens and scanner clicks are marked with the reason. Rows that another content
-- of the same id replaced are hidden: they have the address of their row in events.
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
FROM email
WHERE (_p, _o, _i) NOT IN (SELECT row_p, row_o, row_i FROM events_superseded);
