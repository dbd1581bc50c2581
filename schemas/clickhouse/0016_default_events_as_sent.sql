-- why: rows of events are the events' own lines, which leave out what is at its default
-- blocking: no
-- undo: ALTER TABLE events MODIFY COLUMN tenant REMOVE DEFAULT, MODIFY COLUMN platform REMOVE DEFAULT, MODIFY COLUMN is_bot REMOVE DEFAULT, MODIFY COLUMN properties REMOVE DEFAULT, MODIFY COLUMN traits REMOVE DEFAULT
-- Defaults only, nothing is rewritten; it can be repeated. Since then node begins with its
-- tenant; v_events shows it without, whichever way a row has it.

ALTER TABLE events
    MODIFY COLUMN tenant DEFAULT 'default',
    MODIFY COLUMN platform DEFAULT 'web',
    MODIFY COLUMN is_bot DEFAULT bot != '',
    MODIFY COLUMN properties DEFAULT '{}',
    MODIFY COLUMN traits DEFAULT '{}';
