-- What email providers reported. Machine opens and scanner clicks are marked with the reason: what an event says alone,
-- and what the events of its message say together (email_verdicts, by the address of the row). Rows that another content
-- of the same id replaced are hidden: they have the address of their row in events.
CREATE OR REPLACE VIEW v_email AS
SELECT
    e.tenant AS tenant,
    e.event_id AS event_id,
    e.message_id AS message_id,
    e.recipient AS recipient,
    e.campaign AS campaign,
    e.event AS event,
    fromUnixTimestamp64Milli(e.occurred_at, 'UTC') AS occurred_at,
    e.url AS url,
    e.is_machine OR v.is_machine AS is_machine,
    toLowCardinality(if(v.is_machine, v.reason, e.reason)) AS reason,
    e.provider AS provider,
    -- Rows from before there was the column are of addresses, as nearly all are.
    if(e.node = '' AND e.recipient != '', concat('e:', e.recipient), e.node) AS node
FROM
(
    SELECT * FROM email
    WHERE (_p, _o, _i) NOT IN (SELECT row_p, row_o, row_i FROM events_superseded)
) AS e
LEFT JOIN
(
    SELECT row_p, row_o, row_i, is_machine, reason FROM email_verdicts FINAL
) AS v ON e._p = v.row_p AND e._o = v.row_o AND e._i = v.row_i;
