-- why: cost_ledger has what it had, and what it was before; nothing writes or reads it any more
-- blocking: no
-- undo: apply 0014 again; upload the costs once more, they are booked as the differences that they are (none)

DROP TABLE IF EXISTS costs;
