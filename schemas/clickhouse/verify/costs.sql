SELECT * FROM v_costs
