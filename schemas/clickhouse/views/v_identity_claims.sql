-- Every claim that was ever made, as it stands now. A session's user is listed, too (source session): it is no claim that
-- could be retracted, but it decides whose the visitor is. Times: NULL is "always" and "for good".
CREATE OR REPLACE VIEW v_identity_claims AS
SELECT
    tenant,
    replaceAll(id, '\0', ' #') AS claim_id,
    id AS raw_id,
    node,
    last.2 AS parent,
    last.3 AS source,
    last.4 AS precedence,
    last.5 AS confidence,
    if(last.6 = 0, NULL, fromUnixTimestamp64Milli(least(abs(last.6), 4102444800000), 'UTC')) AS claimed_at,
    if(last.7 < -2208988800000, NULL, fromUnixTimestamp64Milli(least(greatest(last.7, -2208988800000), 4102444800000), 'UTC')) AS holds_from,
    if(last.8 > 4102444800000, NULL, fromUnixTimestamp64Milli(least(greatest(last.8, -2208988800000), 4102444800000), 'UTC')) AS holds_to,
    last.6 AS tie_break,
    toBool(last.1 = 'claim') AS live,
    multiIf(last.1 = 'claim', 'live', last.1 = 'limit', 'limit', 'retracted') AS status,
    fromUnixTimestamp64Milli(first_at, 'UTC') AS recorded_at,
    first_cause AS cause_event_id,
    if(last.1 = 'claim', NULL, fromUnixTimestamp64Milli(ended_at, 'UTC')) AS retracted_at,
    if(last.1 = 'claim', '', ended_cause) AS retracted_by_event_id
FROM
(
    SELECT
        tenant,
        node,
        identity_claims.claim_id AS id,
        argMax((action, parent, source, precedence, confidence, at, since, until), (_o, _i)) AS last,
        min(identity_claims.recorded_at) AS first_at,
        argMin(identity_claims.cause_event_id, (_o, _i)) AS first_cause,
        minIf(identity_claims.recorded_at, action IN ('retract', 'limit')) AS ended_at,
        argMinIf(identity_claims.cause_event_id, (_o, _i), action IN ('retract', 'limit')) AS ended_cause
    FROM identity_claims
    GROUP BY tenant, node, id
);
