-- Sums: how often a credit was booked back and forth on the way depends on the order of arrival, what is left does not.
SELECT tenant, conversion_id, account_id, stage, model, model_version, touch_id, channel, utm_source, utm_medium,
    utm_campaign, currency, touch_at, conversion_at, sum(credit) AS credits, sum(amount) AS amounts
FROM ledger_shares
GROUP BY ALL
HAVING credits != 0 OR amounts != 0
