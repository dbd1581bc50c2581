-- When an alert was first seen depends on the order of arrival; which alerts stand does not.
SELECT tenant, alert_id, rule, rule_version, account_id, threshold FROM alerts FINAL WHERE withdrawn_at = 0
