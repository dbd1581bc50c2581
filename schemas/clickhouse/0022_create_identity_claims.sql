-- why: every claim and retraction with its cause: who said that this belongs to that, and who took it back
-- blocking: no
-- undo: DROP TABLE identity_claims
-- Append-only; one row a claim and change, so unpartitioned. A claim lives in one partition of the log, so its rows are in
-- the order of (_o, _i). Read by node (upwards) and, through the index, by parent (downwards).

CREATE TABLE IF NOT EXISTS identity_claims
(
    tenant LowCardinality(String),
    node String,
    claim_id String,
    action LowCardinality(String),
    parent String,
    source LowCardinality(String),
    precedence Int32,
    confidence Float64,
    at Int64,
    since Int64,
    until Int64,
    cause_event_id String,
    recorded_at Int64 CODEC(Delta, ZSTD(1)),
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32,
    INDEX by_parent parent TYPE bloom_filter GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (tenant, node, claim_id)
SETTINGS non_replicated_deduplication_window = 10000;
