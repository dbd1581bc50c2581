-- why: what identity said before: every version of every node's step function, for "as of" and the list of changes
-- blocking: no
-- undo: DROP TABLE identity_history
-- Filled by mv_identity_history from the rows of identity, so that a stage writes each row once. Append-only.

CREATE TABLE IF NOT EXISTS identity_history
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
ENGINE = MergeTree
ORDER BY (tenant, node, version)
SETTINGS non_replicated_deduplication_window = 10000;
