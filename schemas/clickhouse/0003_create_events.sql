-- why: every accepted event once, as it came in
-- blocking: no
-- undo: DROP TABLE events
-- Times are integer milliseconds: JSONEachRow reads an integer into DateTime64 as seconds. Views convert, and the keys
-- below are written with the same expression, so that a filter on a view's time still selects partitions and granules.
-- PARTITION BY month of arrival: an insert touches one or two partitions whatever old dates it carries, and retention
-- drops whole months. ORDER BY: questions are about one tenant and some days, then about one visitor; rows of a visitor
-- lie together, which also packs best. toDate32 because toDate wraps outside 1970 to 2149.
-- Immutable: what a replay changed is listed in events_superseded.

CREATE TABLE IF NOT EXISTS events
(
    tenant LowCardinality(String),
    event_id String,
    occurred_at Int64 CODEC(Delta, ZSTD(1)),
    received_at Int64 CODEC(Delta, ZSTD(1)),
    source LowCardinality(String),
    protocol LowCardinality(String),
    platform LowCardinality(String),
    type LowCardinality(String),
    name LowCardinality(String),
    node String,
    visitor_id String,
    user_id String,
    email String,
    group_id String,
    url String CODEC(ZSTD(1)),
    path String CODEC(ZSTD(1)),
    referrer String CODEC(ZSTD(1)),
    title String CODEC(ZSTD(1)),
    channel LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    utm_term String,
    utm_content String,
    click_id String,
    engaged_ms Int64,
    is_bot Bool,
    bot LowCardinality(String),
    bot_reason LowCardinality(String),
    device LowCardinality(String),
    browser LowCardinality(String),
    os LowCardinality(String),
    country LowCardinality(String),
    region LowCardinality(String),
    city LowCardinality(String),
    company String,
    clock_suspect Bool,
    client_session String,
    locale LowCardinality(String),
    library LowCardinality(String),
    properties String CODEC(ZSTD(1)),
    traits String CODEC(ZSTD(1)),
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32,
    INDEX by_event_id event_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_received_at fromUnixTimestamp64Milli(received_at, 'UTC') TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(received_at, 'UTC'))
ORDER BY (tenant, toDate32(fromUnixTimestamp64Milli(occurred_at, 'UTC')), node, occurred_at)
SETTINGS non_replicated_deduplication_window = 10000;
