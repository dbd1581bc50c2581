SELECT tenant, session_id, node, visitor_id, person_id, account_id, started_at, ended_at, page_views, events, engaged_ms,
    engaged, channel, utm_source, utm_medium, utm_campaign, landing_url, exit_url, by_network
FROM sessions FINAL WHERE NOT deleted
