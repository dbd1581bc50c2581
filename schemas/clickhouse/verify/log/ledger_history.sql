-- In the log's order every booking comes again, with its time, reason and cause: so reports as of a date are verified, too.
SELECT * FROM ledger_shares
