-- One row a mail: a message and whom it was sent to (node, as some are known by a user id only), with all that became of
-- it. Mails without an id are told apart by their campaign. What came back had been sent, whether the provider reports
-- sending or not.
CREATE OR REPLACE VIEW v_mails AS
SELECT
    tenant,
    message_id,
    node,
    max(v_email.recipient) AS recipient,
    max(v_email.campaign) AS campaign,
    min(occurred_at) AS first_at,
    toBool(countIf(event IN ('sent', 'delivered', 'bounced'))) AS sent,
    toBool(countIf(event = 'delivered')) AS delivered,
    toBool(countIf(event = 'bounced')) AS bounced,
    toBool(countIf(event = 'opened' AND NOT is_machine)) AS opened,
    toBool(countIf(event = 'opened')) AS opened_with_machines,
    toBool(countIf(event = 'clicked' AND NOT is_machine)) AS clicked,
    toBool(countIf(event = 'clicked')) AS clicked_with_machines,
    toBool(countIf(event = 'replied' AND NOT is_machine)) AS replied,
    toBool(countIf(event = 'unsubscribed')) AS unsubscribed,
    toBool(countIf(event = 'complained')) AS complained
FROM v_email
GROUP BY tenant, message_id, node, if(message_id = '', v_email.campaign, '');
