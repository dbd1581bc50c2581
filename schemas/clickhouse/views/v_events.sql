-- Events with the session, person and account that they belong to now. Rows that a replay replaced are hidden.
-- Web and app events of a visitor take session, person and account from the session around them; all others take
-- person and account from what their node resolved to at that time. Both joins keep unmatched events.
CREATE OR REPLACE VIEW v_events AS
SELECT
    e.tenant AS tenant,
    e.event_id AS event_id,
    fromUnixTimestamp64Milli(e.occurred_at, 'UTC') AS occurred_at,
    fromUnixTimestamp64Milli(e.received_at, 'UTC') AS received_at,
    e.source AS source,
    e.protocol AS protocol,
    e.platform AS platform,
    e.type AS type,
    e.name AS name,
    e.node AS node,
    e.visitor_id AS visitor_id,
    e.user_id AS user_id,
    e.email AS email,
    e.group_id AS group_id,
    multiIf(
        s.session_id != '' AND s.ended_at >= e.occurred_at AND s.person_id != '', s.person_id,
        i.person_id != '', i.person_id,
        e.email != '', e.email,
        e.user_id != '', e.user_id,
        e.visitor_id
    ) AS person_id,
    if(s.session_id != '' AND s.ended_at >= e.occurred_at, s.account_id, i.account_id) AS account_id,
    if(s.ended_at >= e.occurred_at, s.session_id, '') AS session_id,
    multiIf(
        s.session_id != '' AND s.ended_at >= e.occurred_at, s.channel,
        -- As their touches: the address that a link leads to says nothing of where its reader came from.
        e.type = 'email', 'Email',
        e.channel
    ) AS channel,
    e.utm_source AS utm_source,
    e.utm_medium AS utm_medium,
    e.utm_campaign AS utm_campaign,
    e.utm_term AS utm_term,
    e.utm_content AS utm_content,
    e.click_id AS click_id,
    e.url AS url,
    e.path AS path,
    e.referrer AS referrer,
    e.title AS title,
    e.engaged_ms AS engaged_ms,
    e.is_bot AS is_bot,
    e.bot AS bot,
    e.bot_reason AS bot_reason,
    e.device AS device,
    e.browser AS browser,
    e.os AS os,
    e.country AS country,
    e.region AS region,
    e.city AS city,
    e.company AS company,
    e.clock_suspect AS clock_suspect,
    e.client_session AS client_session,
    e.locale AS locale,
    e.library AS library,
    e.properties AS properties,
    e.traits AS traits
FROM
(
    SELECT
        * EXCEPT (node),
        if(startsWith(events.node, concat(tenant, '/')), substring(events.node, length(tenant) + 2), events.node) AS node,
        -- Only these open or extend sessions; '' is no visitor's node, so the others find none.
        if(platform IN ('web', 'app') AND NOT is_bot AND startsWith(node, 'v:'), node, '') AS session_node
    FROM events
    WHERE (_p, _o, _i) NOT IN (SELECT row_p, row_o, row_i FROM events_superseded)
) AS e
ASOF LEFT JOIN
(
    -- Of sessions that begin in the same millisecond the last to end: what follows belongs to it. Of what happened in that
    -- millisecond itself only the stitch stage knows, but whatever the order of the parts, it is always the same one.
    SELECT
        tenant,
        node,
        started_at,
        argMax(sessions.session_id, (sessions.ended_at, sessions.session_id)) AS session_id,
        max(sessions.ended_at) AS ended_at,
        argMax(sessions.person_id, (sessions.ended_at, sessions.session_id)) AS person_id,
        argMax(sessions.account_id, (sessions.ended_at, sessions.session_id)) AS account_id,
        argMax(sessions.channel, (sessions.ended_at, sessions.session_id)) AS channel
    FROM sessions FINAL
    WHERE NOT deleted
    GROUP BY tenant, node, started_at
) AS s ON e.tenant = s.tenant AND e.session_node = s.node AND e.occurred_at >= s.started_at
ASOF LEFT JOIN
(
    SELECT tenant, node, since, person_id, account_id
    FROM identity FINAL
    ARRAY JOIN since, person_id, account_id
) AS i ON e.tenant = i.tenant AND e.node = i.node AND e.occurred_at >= i.since;
