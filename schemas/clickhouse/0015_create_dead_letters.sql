-- why: what could not become an event or a row, with its bytes and the reason
-- blocking: no
-- undo: DROP TABLE dead_letters
-- PARTITION BY month of arrival: kept for a while, then dropped whole. body is base64, so any bytes survive.

CREATE TABLE IF NOT EXISTS dead_letters
(
    tenant LowCardinality(String),
    id String,
    received_at Int64 CODEC(Delta, ZSTD(1)),
    source LowCardinality(String),
    reason LowCardinality(String),
    detail String,
    body String CODEC(ZSTD(1)),
    address String,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(received_at, 'UTC'))
ORDER BY (tenant, received_at)
SETTINGS non_replicated_deduplication_window = 10000;
