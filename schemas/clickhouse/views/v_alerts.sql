-- Alerts as they stand. withdrawn_at is NULL while an alert stands; delivered_at always, so far.
CREATE OR REPLACE VIEW v_alerts AS
SELECT
    tenant,
    alert_id,
    rule,
    rule_version,
    account_id,
    fromUnixTimestamp64Milli(fired_at, 'UTC') AS fired_at,
    if(withdrawn_at = 0, NULL, fromUnixTimestamp64Milli(withdrawn_at, 'UTC')) AS withdrawn_at,
    CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS delivered_at,
    score,
    threshold,
    evidence
FROM alerts FINAL;
