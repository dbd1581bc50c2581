-- why: touches as they are now, with who owns them
-- blocking: no
-- undo: DROP TABLE touches
-- As sessions: newest version counts, ORDER BY is the identity, a touch never moves in time, so its month is a safe
-- partition.

CREATE TABLE IF NOT EXISTS touches
(
    tenant LowCardinality(String),
    touch_id String,
    node String,
    account_id String,
    person_id String,
    occurred_at Int64 CODEC(Delta, ZSTD(1)),
    type LowCardinality(String),
    channel LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    session_id String,
    event_id String,
    points Float64,
    deleted Bool,
    version UInt64,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(occurred_at, 'UTC'))
ORDER BY (tenant, touch_id)
SETTINGS non_replicated_deduplication_window = 10000;
