-- why: to whom each node belongs, over time: the whole step function in one row
-- blocking: no
-- undo: DROP TABLE identity
-- One row a node after merging, so unpartitioned. Parallel arrays; v_identity unfolds them.

CREATE TABLE IF NOT EXISTS identity
(
    tenant LowCardinality(String),
    node String,
    kind LowCardinality(String),
    since Array(Int64),
    person_id Array(String),
    account_id Array(String),
    source Array(LowCardinality(String)),
    version UInt64,
    recorded_at Int64 CODEC(Delta, ZSTD(1)),
    cause_event_id String,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, node)
SETTINGS non_replicated_deduplication_window = 10000;
