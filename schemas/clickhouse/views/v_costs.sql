-- What was spent, the newest report of each channel, campaign and day.
CREATE OR REPLACE VIEW v_costs AS
SELECT
    tenant,
    toDate32OrZero(day) AS day,
    channel,
    utm_source,
    utm_medium,
    utm_campaign,
    amount,
    currency
FROM costs FINAL;
