SELECT currency, decimal_places, fx_max_age_days, rules_version FROM v_reporting
