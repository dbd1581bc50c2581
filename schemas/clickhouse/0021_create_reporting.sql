-- why: the currency of reports, as the rules on the log name it
-- blocking: no
-- undo: DROP TABLE reporting
-- A row for each partition and set of rules; the latest counts.

CREATE TABLE IF NOT EXISTS reporting
(
    rules_version LowCardinality(String),
    currency LowCardinality(String),
    decimal_places UInt8,
    fx_max_age_days UInt32,
    recorded_at Int64 CODEC(Delta, ZSTD(1)),
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = MergeTree
ORDER BY recorded_at
SETTINGS non_replicated_deduplication_window = 10000;
