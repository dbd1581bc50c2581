SELECT tenant, conversion_id, account_id, person_id, stage, occurred_at, amount, currency, opportunity_id, event_id
FROM conversions FINAL WHERE NOT deleted
