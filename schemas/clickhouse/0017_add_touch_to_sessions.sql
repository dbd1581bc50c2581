-- why: a session is a touch; its row says so itself, instead of a second row in touches that repeats most of it
-- blocking: no
-- undo: ALTER TABLE sessions DROP COLUMN touch_id, DROP COLUMN points

ALTER TABLE sessions
    ADD COLUMN IF NOT EXISTS touch_id String AFTER exit_url,
    ADD COLUMN IF NOT EXISTS points Float64 AFTER touch_id;
