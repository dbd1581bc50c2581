-- why: exchange rates by day, every one that ever counted, so that a report as of a moment uses those of that moment
-- blocking: no
-- undo: DROP TABLE fx_rates
-- Small, so unpartitioned. ORDER BY: look-ups are by pair and day. Two rows a rate, one for each direction. day is text
-- because it comes from outside: a type that refuses a row would hold up the sink.

CREATE TABLE IF NOT EXISTS fx_rates
(
    tenant LowCardinality(String),
    base LowCardinality(String),
    quote LowCardinality(String),
    day String,
    rate Decimal(38, 18),
    deleted Bool,
    cause_event_id String,
    recorded_at Int64 CODEC(Delta, ZSTD(1)),
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = MergeTree
ORDER BY (tenant, base, quote, day, _o, _i)
SETTINGS non_replicated_deduplication_window = 10000;
