SELECT * EXCEPT (_p, _o, _i) FROM email
