-- The same by campaign and day: a mail belongs to the day on which it was first heard of, whenever it was opened.
CREATE OR REPLACE VIEW kpi_email_by_day AS
SELECT
    m.tenant AS tenant,
    m.campaign AS campaign,
    toDate(m.first_at, 'UTC') AS day,
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
GROUP BY tenant, campaign, day;
