SELECT tenant, touch_id, node, account_id, person_id, occurred_at, type, channel, utm_source, utm_medium, utm_campaign,
    session_id, event_id, points, by_network
FROM touches FINAL WHERE NOT deleted
