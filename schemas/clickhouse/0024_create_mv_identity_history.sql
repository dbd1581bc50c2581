-- why: keeps every row of identity, of which the table itself keeps the newest version only
-- blocking: no
-- undo: DROP VIEW mv_identity_history
-- The sink's token reaches the target table, too (deduplicate_blocks_in_dependent_materialized_views), so a repeated
-- insert of a block adds nothing here either. Versions that were merged away before this view existed are not recovered.

CREATE MATERIALIZED VIEW IF NOT EXISTS mv_identity_history TO identity_history AS
SELECT
    tenant, node, kind, since, person_id, account_id, source, version, recorded_at, cause_event_id, _p, _o, _i
FROM identity;
