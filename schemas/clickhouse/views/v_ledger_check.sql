-- Violations of the ledger's law, so normally empty: for each conversion on an account and each model the credits sum
-- to exactly 1 and the amounts to the conversion's, or both to 0 (withdrawn, moved, or by a model that the rules no longer have).
CREATE OR REPLACE VIEW v_ledger_check AS
SELECT
    b.tenant AS tenant,
    b.conversion_id AS conversion_id,
    b.account_id AS account_id,
    b.model AS model,
    b.credit AS credit,
    b.amount AS amount,
    c.amount AS expected_amount,
    toBool(c.conversion_id != '') AS live
FROM
(
    SELECT tenant, conversion_id, account_id, model, sum(credit) AS credit, sum(ledger_shares.amount) AS amount
    FROM ledger_shares
    GROUP BY tenant, conversion_id, account_id, model
) AS b
LEFT JOIN
(
    SELECT tenant, conversion_id, account_id, amount FROM conversions FINAL WHERE NOT deleted
) AS c ON b.tenant = c.tenant AND b.conversion_id = c.conversion_id AND b.account_id = c.account_id
WHERE NOT (
    (credit = 0 AND amount = 0)
    OR (live AND credit = 1 AND amount = expected_amount)
);
