-- Rows that are in a table twice, by the address that each row carries: 0 everywhere, or the sink has a fault.
CREATE OR REPLACE VIEW v_audit_duplicates AS
SELECT 'events' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM events
UNION ALL
SELECT 'events_superseded' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM events_superseded
UNION ALL
SELECT 'sessions' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM sessions
UNION ALL
SELECT 'touches' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM touches
UNION ALL
SELECT 'identity' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM identity
UNION ALL
SELECT 'identity_claims' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM identity_claims
UNION ALL
SELECT 'identity_history' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM identity_history
UNION ALL
SELECT 'accounts' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM accounts
UNION ALL
SELECT 'engagement' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM engagement
UNION ALL
SELECT 'conversions' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM conversions
UNION ALL
SELECT 'ledger' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM ledger
UNION ALL
SELECT 'bookings' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM bookings
UNION ALL
SELECT 'alerts' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM alerts
UNION ALL
SELECT 'email' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM email
UNION ALL
SELECT 'email_verdicts' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM email_verdicts
UNION ALL
SELECT 'cost_ledger' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM cost_ledger
UNION ALL
SELECT 'fx_rates' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM fx_rates
UNION ALL
SELECT 'reporting' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM reporting
UNION ALL
SELECT 'dead_letters' AS table, count() - uniqExact(_p, _o, _i) AS duplicates FROM dead_letters;
