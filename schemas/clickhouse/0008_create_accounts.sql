-- why: profile and totals of each account
-- blocking: no
-- undo: DROP TABLE accounts
-- One row an account after merging, so unpartitioned.

CREATE TABLE IF NOT EXISTS accounts
(
    tenant LowCardinality(String),
    account_id String,
    name String,
    domain String,
    parent_id String,
    owner String,
    people Int64,
    touches Int64,
    first_touch_at Int64 CODEC(Delta, ZSTD(1)),
    last_touch_at Int64 CODEC(Delta, ZSTD(1)),
    stage LowCardinality(String),
    log2_score Float64,
    half_life_days Float64,
    deleted Bool,
    version UInt64,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, account_id)
SETTINGS non_replicated_deduplication_window = 10000;
