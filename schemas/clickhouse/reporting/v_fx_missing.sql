-- Money that no report in the currency of reports has, because a rate is missing: normally empty.
CREATE OR REPLACE VIEW v_fx_missing AS
SELECT tenant, currency, reporting_currency, 'conversions' AS what, toDate32(occurred_at) AS day, count() AS rows,
    sum(v_conversions_reporting.amount) AS amount
FROM v_conversions_reporting
WHERE reporting_amount IS NULL
GROUP BY tenant, currency, reporting_currency, day
UNION ALL
SELECT tenant, currency, reporting_currency, 'costs' AS what, day, count() AS rows,
    sum(v_costs_reporting.amount) AS amount
FROM v_costs_reporting
WHERE reporting_amount IS NULL
GROUP BY tenant, currency, reporting_currency, day;
