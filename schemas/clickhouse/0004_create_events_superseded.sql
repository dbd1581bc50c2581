-- why: addresses of event rows that a smaller content of the same id replaced; v_events hides them
-- blocking: no
-- undo: DROP TABLE events_superseded
-- Rare and small, so unpartitioned. ORDER BY the address: the view asks for it.

CREATE TABLE IF NOT EXISTS events_superseded
(
    tenant LowCardinality(String),
    event_id String,
    node String,
    row_p UInt16,
    row_o Int64,
    row_i UInt32,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = MergeTree
ORDER BY (row_p, row_o, row_i)
SETTINGS non_replicated_deduplication_window = 10000;
