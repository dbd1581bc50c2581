-- Accounts as they are now. engagement is the decayed score at this moment, intent the same squeezed into 0 to 100.
CREATE OR REPLACE VIEW v_accounts AS
SELECT
    tenant,
    account_id,
    name,
    domain,
    parent_id,
    owner,
    people,
    if(first_touch_at = 0, NULL, fromUnixTimestamp64Milli(first_touch_at, 'UTC')) AS first_touch_at,
    if(last_touch_at = 0, NULL, fromUnixTimestamp64Milli(last_touch_at, 'UTC')) AS last_touch_at,
    touches,
    stage,
    engagement,
    100 * (1 - exp(-engagement / 30)) AS intent
FROM
(
    SELECT
        *,
        if(
            half_life_days > 0,
            exp2(log2_score - toUnixTimestamp64Milli(now64(3)) / (half_life_days * 86400000)),
            0
        ) AS engagement
    FROM accounts FINAL
    WHERE NOT deleted
);
