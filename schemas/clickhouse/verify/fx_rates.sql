SELECT tenant, base, quote, day, rate FROM v_fx_rates
