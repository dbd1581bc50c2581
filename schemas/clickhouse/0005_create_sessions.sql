-- why: sessions as they are now; a late event may extend, join or dissolve them
-- blocking: no
-- undo: DROP TABLE sessions
-- ReplacingMergeTree: the sink only ever inserts; v_sessions reads the newest version with FINAL.
-- ORDER BY is the identity of a session. PARTITION BY month of its start, which never changes for one id, so all
-- versions of a session meet in one partition and merges stay small.

CREATE TABLE IF NOT EXISTS sessions
(
    tenant LowCardinality(String),
    session_id String,
    node String,
    visitor_id String,
    person_id String,
    account_id String,
    started_at Int64 CODEC(Delta, ZSTD(1)),
    ended_at Int64 CODEC(Delta, ZSTD(1)),
    page_views Int64,
    events Int64,
    engaged_ms Int64,
    engaged Bool,
    channel LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    landing_url String CODEC(ZSTD(1)),
    exit_url String CODEC(ZSTD(1)),
    deleted Bool,
    version UInt64,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(started_at, 'UTC'))
ORDER BY (tenant, session_id)
SETTINGS non_replicated_deduplication_window = 10000;
