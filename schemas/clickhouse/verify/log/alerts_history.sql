-- The withdrawn ones, too, and when and on what evidence each fired.
SELECT * EXCEPT (version, _p, _o, _i) FROM alerts FINAL
