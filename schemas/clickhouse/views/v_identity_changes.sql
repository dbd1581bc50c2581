-- Every change of owner: what belonged to whom before and after, for which stretch of time, when that became known, and
-- the event that caused it. The first owner of a node is a change, too, from nobody. A row without a stretch of time only
-- says that nothing rests on the node any more: that is no change of owner.
CREATE OR REPLACE VIEW v_identity_changes AS
SELECT
    tenant,
    node,
    kind,
    fromUnixTimestamp64Milli(known_at, 'UTC') AS changed_at,
    fromUnixTimestamp64Milli(greatest(cut, 0), 'UTC') AS since,
    was.2 AS account_before,
    becomes.2 AS account_after,
    was.1 AS person_before,
    becomes.1 AS person_after,
    becomes.3 AS source,
    cause AS cause_event_id
FROM
(
    SELECT
        tenant,
        node,
        kind,
        recorded_at AS known_at,
        cause_event_id AS cause,
        now_parts,
        if(first, [(toInt64(-4611686018427387904), '', '', '')], before) AS before_parts,
        arrayJoin(arraySort(arrayDistinct(arrayConcat(arrayMap(p -> p.1, now_parts), arrayMap(p -> p.1, before_parts))))) AS cut,
        arrayLast(p -> p.1 <= cut, before_parts) AS old_part,
        arrayLast(p -> p.1 <= cut, now_parts) AS new_part,
        (old_part.2, old_part.3, old_part.4) AS was,
        (new_part.2, new_part.3, new_part.4) AS becomes
    FROM
    (
        SELECT
            tenant,
            node,
            kind,
            recorded_at,
            cause_event_id,
            arrayZip(since, person_id, account_id, arrayMap(s -> toString(s), source)) AS now_parts,
            lagInFrame(now_parts) OVER history AS before,
            row_number() OVER history = 1 AS first
        FROM identity_history
        WHERE notEmpty(since)
        WINDOW history AS (PARTITION BY tenant, node ORDER BY version, _i ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    )
)
WHERE (was.1, was.2) != (becomes.1, becomes.2);
