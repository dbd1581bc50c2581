SELECT tenant, account_id, person_id, log2_score, sign, touches FROM engagement FINAL WHERE touches > 0 OR sign != 0
