-- why: who earned what, as signed bookings: append-only, so any sum over it is right without FINAL
-- blocking: no
-- undo: DROP TABLE ledger
-- PARTITION BY month of booking: late corrections land in the present month, old months stay closed.
-- ORDER BY: reports are by model and stage over time; rows that cancel each other lie together.

CREATE TABLE IF NOT EXISTS ledger
(
    tenant LowCardinality(String),
    conversion_id String,
    account_id String,
    stage LowCardinality(String),
    model LowCardinality(String),
    model_version LowCardinality(String),
    touch_id String,
    channel LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    credit Decimal(18, 9),
    amount Decimal(24, 4),
    currency LowCardinality(String),
    touch_at Int64 CODEC(Delta, ZSTD(1)),
    conversion_at Int64 CODEC(Delta, ZSTD(1)),
    recorded_at Int64 CODEC(Delta, ZSTD(1)),
    reason LowCardinality(String),
    cause_event_id String,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(recorded_at, 'UTC'))
ORDER BY (tenant, model, stage, conversion_at, conversion_id, touch_id)
SETTINGS non_replicated_deduplication_window = 10000;
