-- why: alerts as they stand: fired, perhaps withdrawn
-- blocking: no
-- undo: DROP TABLE alerts
-- Few, so unpartitioned.

CREATE TABLE IF NOT EXISTS alerts
(
    tenant LowCardinality(String),
    alert_id String,
    rule LowCardinality(String),
    rule_version LowCardinality(String),
    account_id String,
    fired_at Int64 CODEC(Delta, ZSTD(1)),
    withdrawn_at Int64 CODEC(Delta, ZSTD(1)),
    score Float64,
    threshold Float64,
    evidence String CODEC(ZSTD(1)),
    version UInt64,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, alert_id)
SETTINGS non_replicated_deduplication_window = 10000;
