-- What was refused, why, and the bytes as they came in.
CREATE OR REPLACE VIEW v_dead_letters AS
SELECT
    tenant,
    id,
    fromUnixTimestamp64Milli(received_at, 'UTC') AS received_at,
    source,
    reason,
    detail,
    tryBase64Decode(body) AS bytes,
    address,
    path,
    gpc,
    tryBase64Decode(envelope) AS envelope
FROM dead_letters;
