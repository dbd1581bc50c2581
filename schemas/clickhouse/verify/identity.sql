SELECT tenant, node, kind, since, person_id, account_id, source FROM identity FINAL
