SELECT tenant, account_id, name, domain, parent_id, owner, people, touches, first_touch_at, last_touch_at, stage, log2_score
FROM accounts FINAL WHERE NOT deleted
