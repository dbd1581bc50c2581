-- why: what email providers reported, machine opens and scanner clicks marked
-- blocking: no
-- undo: DROP TABLE email
-- PARTITION BY month of the happening would let one backfill touch a hundred partitions; email volume does not need
-- any. ORDER BY: questions are about a campaign over time.

CREATE TABLE IF NOT EXISTS email
(
    tenant LowCardinality(String),
    event_id String,
    message_id String,
    recipient String,
    campaign LowCardinality(String),
    event LowCardinality(String),
    occurred_at Int64 CODEC(Delta, ZSTD(1)),
    url String CODEC(ZSTD(1)),
    is_machine Bool,
    reason LowCardinality(String),
    provider LowCardinality(String),
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = MergeTree
ORDER BY (tenant, campaign, occurred_at)
SETTINGS non_replicated_deduplication_window = 10000;
