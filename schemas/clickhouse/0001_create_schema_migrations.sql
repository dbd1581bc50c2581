-- why: which numbered files were applied, and that nobody changed them afterwards
-- blocking: no
-- undo: DROP TABLE schema_migrations
-- Read whole at each setup, a few dozen rows.

CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt32,
    name String,
    checksum FixedString(64),
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY number
SETTINGS non_replicated_deduplication_window = 10000;
