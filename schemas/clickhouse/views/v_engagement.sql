-- Score of each person on each account, decayed to this moment. It may be negative (unsubscribed, complained): a person
-- may have nothing but that, and no touch. Who has neither is gone.
CREATE OR REPLACE VIEW v_engagement AS
SELECT
    tenant,
    account_id,
    person_id,
    if(
        half_life_days > 0,
        sign * exp2(log2_score - toUnixTimestamp64Milli(as_of) / (half_life_days * 86400000)),
        0
    ) AS score,
    now64(3, 'UTC') AS as_of,
    half_life_days,
    touches
FROM engagement FINAL
WHERE touches > 0 OR sign != 0;
