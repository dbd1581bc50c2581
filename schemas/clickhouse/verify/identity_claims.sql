-- What is claimed now. Ids of CRM claims count versions in the order in which they came, so they are left out.
SELECT tenant, node, last.2 AS parent, last.3 AS source, last.4 AS precedence, last.5 AS at, last.6 AS since, last.7 AS until
FROM
(
    SELECT tenant, node, argMax((action, parent, source, precedence, at, since, until), (_o, _i)) AS last
    FROM identity_claims
    GROUP BY tenant, node, claim_id
)
WHERE last.1 = 'claim'
