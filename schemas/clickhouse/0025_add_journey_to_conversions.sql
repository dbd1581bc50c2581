-- why: conversions of people without an account: each person is a journey of its own, with an empty account_id
-- blocking: no
-- undo: ALTER TABLE conversions DROP COLUMN journey (after the rows with a journey are deleted)
-- The journey belongs to the key for the same reason as the account does: when a conversion moves from one person to
-- another, two partitions of the log write about it, and their versions cannot be compared.

ALTER TABLE conversions
    ADD COLUMN IF NOT EXISTS journey String AFTER account_id,
    MODIFY ORDER BY (tenant, conversion_id, account_id, journey);
