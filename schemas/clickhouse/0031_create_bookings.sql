-- why: a row for each share said the same conversion, model and cause a dozen times over, and most of what a change of a
--      large account cost was these texts; a booking says them once, and its shares as arrays
-- blocking: no
-- undo: DROP TABLE bookings
-- Append-only and signed, as ledger, which has the rows of earlier versions. ledger_shares shows both, a row a share.

CREATE TABLE IF NOT EXISTS bookings
(
    tenant LowCardinality(String),
    conversion_id String,
    account_id String,
    stage LowCardinality(String),
    model LowCardinality(String),
    model_version LowCardinality(String),
    currency LowCardinality(String),
    conversion_at Int64 CODEC(Delta, ZSTD(1)),
    touch_ids Array(String),
    channels Array(String),
    utm_sources Array(String),
    utm_mediums Array(String),
    utm_campaigns Array(String),
    touched_at Array(Int64) CODEC(ZSTD(1)),
    credits Array(Decimal(18, 9)),
    amounts Array(Decimal(24, 4)),
    recorded_at Int64 CODEC(Delta, ZSTD(1)),
    reason LowCardinality(String),
    cause_event_id String,
    _p UInt16,
    _o Int64 CODEC(Delta, ZSTD(1)),
    _i UInt32
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(recorded_at, 'UTC'))
ORDER BY (tenant, model, stage, conversion_at, conversion_id)
SETTINGS non_replicated_deduplication_window = 10000;
