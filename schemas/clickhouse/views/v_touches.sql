-- Touches as they are now, whoever owns them; account_id is '' while nobody does. Sessions are touches, too.
CREATE OR REPLACE VIEW v_touches AS
SELECT
    tenant,
    touch_id,
    node,
    account_id,
    person_id,
    fromUnixTimestamp64Milli(occurred_at, 'UTC') AS occurred_at,
    type,
    channel,
    utm_source,
    utm_medium,
    utm_campaign,
    session_id,
    event_id,
    points,
    by_network
FROM
(
    SELECT
        tenant, touch_id, node, account_id, person_id, occurred_at, type, channel, utm_source, utm_medium,
        utm_campaign, session_id, event_id, points, by_network
    FROM touches FINAL
    WHERE NOT deleted AND type != 'session'
    UNION ALL
    SELECT
        tenant, touch_id, node, account_id, person_id, started_at AS occurred_at, toLowCardinality('session') AS type,
        channel, utm_source, utm_medium, utm_campaign, session_id, '' AS event_id, points, by_network
    FROM sessions FINAL
    WHERE NOT deleted AND touch_id != ''
);
