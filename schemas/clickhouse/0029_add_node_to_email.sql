-- why: key figures count mails; a mail is a message and its recipient, who may be known by another id than an address
-- blocking: no
-- undo: ALTER TABLE email DROP COLUMN node

ALTER TABLE email
    ADD COLUMN IF NOT EXISTS node String AFTER provider;
