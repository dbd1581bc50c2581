-- v_identity as it was known at a moment: SELECT ... FROM v_identity_as_of(as_of = '2026-09-30 12:00:00').
-- as_of is when Touchline knew; since is from when on it held. Times are UTC unless they name an offset.
CREATE OR REPLACE VIEW v_identity_as_of AS
SELECT
    tenant,
    node,
    kind,
    part.2 AS person_id,
    part.3 AS account_id,
    fromUnixTimestamp64Milli(greatest(part.1, 0), 'UTC') AS since,
    part.4 AS source
FROM
(
    SELECT
        tenant,
        node,
        any(kind) AS kind,
        argMax(arrayZip(identity_history.since, identity_history.person_id, identity_history.account_id, identity_history.source), (version, _i)) AS parts
    FROM identity_history
    WHERE recorded_at <= toUnixTimestamp64Milli(parseDateTime64BestEffort({as_of:String}, 3, 'UTC'))
    GROUP BY tenant, node
)
ARRAY JOIN parts AS part;
