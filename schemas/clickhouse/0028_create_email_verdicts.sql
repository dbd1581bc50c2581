-- why: opens and clicks that only the other events of their message show to be a machine's; a verdict may change
-- blocking: no
-- undo: DROP TABLE email_verdicts
-- Apart from email, which is append-only: nearly all rows keep what they said first. The key is the address of the row
-- of email, so a replaced event takes its verdict along.

CREATE TABLE IF NOT EXISTS email_verdicts
(
    tenant LowCardinality(String),
    event_id String,
    row_p UInt16,
    row_o Int64 CODEC(Delta, ZSTD(1)),
    row_i UInt32,
    is_machine Bool,
    reason LowCardinality(String),
    version UInt64,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (row_p, row_o, row_i)
SETTINGS non_replicated_deduplication_window = 10000;
