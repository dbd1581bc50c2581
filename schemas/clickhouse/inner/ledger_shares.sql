-- What v_ledger and the sums over it read: a row for each share of a booking, times in ms. First the rows of earlier versions.
CREATE OR REPLACE VIEW ledger_shares AS
SELECT
    tenant, conversion_id, account_id, stage, model, model_version, touch_id, channel, utm_source, utm_medium, utm_campaign,
    credit, amount, currency, touch_at, conversion_at, recorded_at, reason, cause_event_id
FROM ledger
UNION ALL
SELECT
    tenant, conversion_id, account_id, stage, model, model_version, touch_id, channel, utm_source, utm_medium, utm_campaign,
    credit, amount, currency, touch_at, conversion_at, recorded_at, reason, cause_event_id
FROM bookings
ARRAY JOIN
    touch_ids AS touch_id,
    channels AS channel,
    utm_sources AS utm_source,
    utm_mediums AS utm_medium,
    utm_campaigns AS utm_campaign,
    touched_at AS touch_at,
    credits AS credit,
    amounts AS amount;
