SELECT * EXCEPT (version, _p, _o, _i) FROM costs FINAL
