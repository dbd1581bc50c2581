-- why: the sink writes down what it is about to insert before it does (docs/design/exactly-once.md)
-- blocking: no
-- undo: DROP TABLE sink_ledger
-- ORDER BY: recovery reads the newest rows of one kind of one partition, backwards, and stops at the first. The indexes
-- find the other partitions' rows of a block.
-- Append-only and without TTL: losing a partition's last row would restart it from the beginning of its topic.
-- A row is a few dozen bytes compressed; four flushes a second over eight partitions make about 3 M rows a day.

CREATE TABLE IF NOT EXISTS sink_ledger
(
    sink LowCardinality(String),
    topic LowCardinality(String),
    partition UInt16,
    kind Enum8('claim' = 1, 'start' = 2, 'block' = 3, 'go' = 4, 'void' = 5),
    epoch UInt64,
    owner LowCardinality(String),
    seq UInt64,
    first_offset Int64,
    next_offset Int64,
    marks_before Map(String, Int64),
    marks_after Map(String, Int64),
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_seq seq TYPE minmax GRANULARITY 1,
    INDEX by_owner owner TYPE bloom_filter GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (sink, topic, partition, kind, epoch, owner, seq)
SETTINGS non_replicated_deduplication_window = 10000;
