-- Exchange rates as they are known now: one unit of base is rate units of quote, from day on until a newer one.
CREATE OR REPLACE VIEW v_fx_rates AS
SELECT
    tenant,
    base,
    quote,
    toDate32OrZero(day) AS day,
    argMax(fx_rates.rate, (_o, _i)) AS rate,
    fromUnixTimestamp64Milli(max(fx_rates.recorded_at), 'UTC') AS recorded_at
FROM fx_rates
GROUP BY tenant, base, quote, fx_rates.day
HAVING NOT argMax(deleted, (_o, _i));
