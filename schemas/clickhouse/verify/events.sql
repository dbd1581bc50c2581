-- What two runs over the same events must agree on: every kept event with the session, person and account it has now.
SELECT * EXCEPT (received_at) FROM v_events
