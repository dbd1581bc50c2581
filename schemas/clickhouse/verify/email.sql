SELECT * FROM v_email
