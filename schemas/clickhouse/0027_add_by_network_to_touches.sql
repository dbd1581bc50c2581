-- why: touches that are an account's only because of the network they came from: they move when somebody says more
-- blocking: no
-- undo: ALTER TABLE touches DROP COLUMN by_network

ALTER TABLE touches
    ADD COLUMN IF NOT EXISTS by_network Bool AFTER deleted;
