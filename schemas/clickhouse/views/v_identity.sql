-- To whom each node belongs, one row a node and stretch of time. The first stretch reaches back for ever: 1970-01-01.
-- A node on which nothing rests any more has no stretch, and so no row.
CREATE OR REPLACE VIEW v_identity AS
SELECT
    tenant,
    node,
    kind,
    part.2 AS person_id,
    part.3 AS account_id,
    fromUnixTimestamp64Milli(greatest(part.1, 0), 'UTC') AS since,
    part.4 AS source
FROM identity FINAL
ARRAY JOIN arrayZip(identity.since, identity.person_id, identity.account_id, identity.source) AS part;
