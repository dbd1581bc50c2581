-- Accounts in their hierarchy (parent_id of the CRM): who is above each, and what each has together with all below it.
-- A merged parent stands for the account that it was merged into. An account whose way up is a circle, or is longer than
-- five steps, stands alone, with the problem. Credit stays on the account that earned it: join v_ledger to root_id.
CREATE OR REPLACE VIEW v_account_tree AS
WITH
    parents AS
    (
        SELECT
            a.tenant AS tenant,
            a.account_id AS account_id,
            if(i.root != '', i.root, a.parent_id) AS parent
        FROM (SELECT tenant, account_id, parent_id FROM accounts FINAL WHERE NOT deleted AND parent_id != '') AS a
        LEFT JOIN
        (
            SELECT tenant, substring(node, 3) AS id, arrayElement(identity.account_id, -1) AS root
            FROM identity FINAL
            WHERE kind = 'account'
        ) AS i ON a.tenant = i.tenant AND a.parent_id = i.id
        WHERE parent != account_id
    ),
    ways AS
    (
        SELECT
            a.tenant AS tenant,
            a.account_id AS account_id,
            a.name AS name,
            a.people AS people,
            a.touches AS touches,
            a.engagement AS engagement,
            arrayFilter(p -> p != '', [p1.parent, p2.parent, p3.parent, p4.parent, p5.parent, p6.parent]) AS above,
            multiIf(
                has(above, account_id) OR length(arrayDistinct(above)) < length(above), 'circle',
                length(above) > 5, 'too deep',
                ''
            ) AS problem,
            if(problem = '', above, []) AS way
        FROM
        (
            SELECT
                tenant, account_id, name, people, touches,
                if(
                    half_life_days > 0,
                    exp2(log2_score - toUnixTimestamp64Milli(now64(3)) / (half_life_days * 86400000)),
                    0
                ) AS engagement
            FROM accounts FINAL
            WHERE NOT deleted
        ) AS a
        LEFT JOIN parents AS p1 ON p1.tenant = a.tenant AND p1.account_id = a.account_id
        LEFT JOIN parents AS p2 ON p2.tenant = a.tenant AND p2.account_id = p1.parent
        LEFT JOIN parents AS p3 ON p3.tenant = a.tenant AND p3.account_id = p2.parent
        LEFT JOIN parents AS p4 ON p4.tenant = a.tenant AND p4.account_id = p3.parent
        LEFT JOIN parents AS p5 ON p5.tenant = a.tenant AND p5.account_id = p4.parent
        LEFT JOIN parents AS p6 ON p6.tenant = a.tenant AND p6.account_id = p5.parent
    )
SELECT
    w.tenant AS tenant,
    w.account_id AS account_id,
    w.name AS name,
    if(empty(w.way), '', w.way[1]) AS parent_id,
    if(empty(w.way), w.account_id, w.way[-1]) AS root_id,
    toUInt8(length(w.way)) AS depth,
    w.way AS above,
    w.problem AS problem,
    w.touches AS touches,
    t.accounts AS tree_accounts,
    t.people AS tree_people,
    t.touches AS tree_touches,
    t.engagement AS tree_engagement
FROM ways AS w
LEFT JOIN
(
    SELECT
        tenant,
        arrayJoin(arrayPushFront(way, account_id)) AS top,
        count() AS accounts,
        sum(ways.people) AS people,
        sum(ways.touches) AS touches,
        sum(ways.engagement) AS engagement
    FROM ways
    GROUP BY tenant, top
) AS t ON t.tenant = w.tenant AND t.top = w.account_id;
