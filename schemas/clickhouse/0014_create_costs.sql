-- why: what was spent on a channel and campaign on a day; the newest report of a key counts
-- blocking: no
-- undo: DROP TABLE costs
-- Small, so unpartitioned. day is text because it comes from outside: a type that refuses a row would hold up the sink.

CREATE TABLE IF NOT EXISTS costs
(
    tenant LowCardinality(String),
    cost_id String,
    day String,
    channel LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    amount Decimal(24, 4),
    currency LowCardinality(String),
    version UInt64,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, cost_id)
SETTINGS non_replicated_deduplication_window = 10000;
