-- why: score of each person on each account, in closed form: reading it needs no refresh
-- blocking: no
-- undo: DROP TABLE engagement
-- One row a person and account after merging, so unpartitioned.

CREATE TABLE IF NOT EXISTS engagement
(
    tenant LowCardinality(String),
    account_id String,
    person_id String,
    log2_score Float64,
    sign Int8,
    touches Int64,
    half_life_days Float64,
    version UInt64,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, account_id, person_id)
SETTINGS non_replicated_deduplication_window = 10000;
