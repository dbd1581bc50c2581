-- why: sessions that are an account's only because of the network they came from: they move when somebody says more
-- blocking: no
-- undo: ALTER TABLE sessions DROP COLUMN by_network

ALTER TABLE sessions
    ADD COLUMN IF NOT EXISTS by_network Bool AFTER deleted;
