-- A node of which nothing is known any more is like one of which nothing ever was.
SELECT tenant, node, kind, since, person_id, account_id, source
FROM identity FINAL
WHERE arrayExists(a -> a != '', account_id) OR arrayExists(p -> p NOT IN ('', substring(node, 3)), person_id)
