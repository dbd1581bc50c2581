-- The same by message, for providers that give one id to all mails of a mailing.
CREATE OR REPLACE VIEW kpi_email_by_message AS
SELECT
    m.tenant AS tenant,
    m.message_id AS message_id,
    max(m.campaign) AS campaign,
    min(m.first_at) AS first_at,
    count() AS mails,
    countIf(m.sent) AS sent,
    countIf(m.delivered) AS delivered,
    countIf(m.bounced) AS bounced,
    countIf(m.opened) AS opened,
    countIf(m.opened_with_machines) AS opened_with_machines,
    countIf(m.clicked) AS clicked,
    countIf(m.clicked_with_machines) AS clicked_with_machines,
    countIf(m.replied) AS replied,
    countIf(m.unsubscribed) AS unsubscribed,
    countIf(m.complained) AS complained,
    countIf(m.delivered) / nullIf(countIf(m.sent), 0) AS delivery_rate,
    countIf(m.bounced) / nullIf(countIf(m.sent), 0) AS bounce_rate,
    countIf(m.opened) / nullIf(countIf(m.delivered), 0) AS open_rate,
    countIf(m.opened_with_machines) / nullIf(countIf(m.delivered), 0) AS open_rate_with_machines,
    countIf(m.clicked) / nullIf(countIf(m.delivered), 0) AS click_rate,
    countIf(m.clicked_with_machines) / nullIf(countIf(m.delivered), 0) AS click_rate_with_machines,
    countIf(m.clicked) / nullIf(countIf(m.opened), 0) AS click_to_open_rate,
    countIf(m.clicked_with_machines) / nullIf(countIf(m.opened_with_machines), 0) AS click_to_open_rate_with_machines,
    countIf(m.unsubscribed) / nullIf(countIf(m.delivered), 0) AS unsubscribe_rate,
    countIf(m.complained) / nullIf(countIf(m.delivered), 0) AS complaint_rate
FROM v_mails AS m
GROUP BY tenant, message_id;
