-- why: what was spent, as signed bookings: the sum is what is known now, up to a moment what was known then
-- blocking: no
-- undo: DROP TABLE cost_ledger
-- Small, so unpartitioned. ORDER BY: reports are by day; the bookings of one cost lie together. day is text because it
-- comes from outside: a type that refuses a row would hold up the sink.

CREATE TABLE IF NOT EXISTS cost_ledger
(
    tenant LowCardinality(String),
    cost_id String,
    day String,
    channel LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    amount Decimal(24, 4),
    currency LowCardinality(String),
    standing Int8,
    reason LowCardinality(String),
    cause_event_id String,
    recorded_at Int64 CODEC(Delta, ZSTD(1)),
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = MergeTree
ORDER BY (tenant, day, cost_id)
SETTINGS non_replicated_deduplication_window = 10000;
