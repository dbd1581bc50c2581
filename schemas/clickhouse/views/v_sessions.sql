-- Sessions as they are now: the newest version of each, without those that a late event dissolved.
CREATE OR REPLACE VIEW v_sessions AS
SELECT
    tenant,
    session_id,
    visitor_id,
    person_id,
    account_id,
    fromUnixTimestamp64Milli(started_at, 'UTC') AS started_at,
    fromUnixTimestamp64Milli(ended_at, 'UTC') AS ended_at,
    page_views,
    events,
    engaged_ms,
    engaged,
    channel,
    utm_source,
    utm_medium,
    utm_campaign,
    landing_url,
    exit_url,
    by_network
FROM sessions FINAL
WHERE NOT deleted;
