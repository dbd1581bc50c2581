-- why: a dead letter can be sent again only to where it was sent, with what its request said beside it
-- blocking: no
-- undo: ALTER TABLE dead_letters DROP COLUMN path, DROP COLUMN gpc, DROP COLUMN envelope

ALTER TABLE dead_letters
    ADD COLUMN IF NOT EXISTS path LowCardinality(String) AFTER address,
    ADD COLUMN IF NOT EXISTS gpc Bool AFTER path,
    ADD COLUMN IF NOT EXISTS envelope String CODEC(ZSTD(1)) AFTER gpc;
