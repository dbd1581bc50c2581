-- why: stages reached and values won, as they are now
-- blocking: no
-- undo: DROP TABLE conversions
-- Few, so unpartitioned. ORDER BY is the identity of a conversion on an account. The account belongs to it: when a
-- conversion moves, the old account (one partition of the log) withdraws it and the new one (another partition) puts it,
-- and offsets, hence versions, of two partitions cannot be compared.

CREATE TABLE IF NOT EXISTS conversions
(
    tenant LowCardinality(String),
    conversion_id String,
    account_id String,
    person_id String,
    stage LowCardinality(String),
    occurred_at Int64 CODEC(Delta, ZSTD(1)),
    amount Decimal(24, 4),
    currency LowCardinality(String),
    opportunity_id String,
    event_id String,
    deleted Bool,
    version UInt64,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, conversion_id, account_id)
SETTINGS non_replicated_deduplication_window = 10000;
