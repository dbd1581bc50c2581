-- The currency of reports by the latest rules: one row, or none before the first rules were read.
CREATE OR REPLACE VIEW v_reporting AS
SELECT
    argMax(reporting.currency, (reporting.recorded_at, _o)) AS currency,
    argMax(reporting.decimal_places, (reporting.recorded_at, _o)) AS decimal_places,
    argMax(reporting.fx_max_age_days, (reporting.recorded_at, _o)) AS fx_max_age_days,
    argMax(reporting.rules_version, (reporting.recorded_at, _o)) AS rules_version,
    fromUnixTimestamp64Milli(max(reporting.recorded_at), 'UTC') AS recorded_at
FROM reporting
HAVING count() > 0;
