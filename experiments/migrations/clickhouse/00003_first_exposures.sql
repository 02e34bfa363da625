-- +goose Up
-- The exposures once more, one row per experiment and unit once parts have merged:
-- what reports start from. Of most units all is in the row: as of any moment, what a
-- reader would find in exposures follows from it. Of the others, which were seen in
-- two variants, or whose first exposure came in after a later one, it does not, and
-- readers look into exposures. Read with FINAL.
CREATE TABLE IF NOT EXISTS first_exposures (
  experiment LowCardinality(String),
  key UInt128 COMMENT 'reinterpretAsUInt128(sipHash128(unit)): shorter to sort, join and group by than the unit',
  unit SimpleAggregateFunction(any, String),
  variant SimpleAggregateFunction(min, LowCardinality(String)),
  other_variant SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'differs from variant where the unit was seen in several',
  first SimpleAggregateFunction(min, UInt128) COMMENT 'the first exposure: milliseconds since 1970 of exposed_at in the upper half, of received_at in the lower'
) ENGINE = AggregatingMergeTree
ORDER BY (experiment, key)
SETTINGS non_replicated_deduplication_window = 1000;

-- +goose StatementBegin
CREATE MATERIALIZED VIEW IF NOT EXISTS exposures_first TO first_exposures AS
SELECT
  experiment,
  reinterpretAsUInt128(sipHash128(x.unit)) AS key,
  any(x.unit) AS unit,
  min(x.variant) AS variant,
  max(x.variant) AS other_variant,
  min(bitShiftLeft(toUInt128(greatest(0, toUnixTimestamp64Milli(x.exposed_at))), 64) + toUInt128(greatest(0, toUnixTimestamp64Milli(x.received_at)))) AS first
FROM exposures AS x
WHERE x.unit != ''
GROUP BY experiment, key;
-- +goose StatementEnd

-- What there was before. The view is there already, so that nothing is left out, and
-- what is taken twice changes nothing.
INSERT INTO first_exposures (experiment, key, unit, variant, other_variant, first)
SELECT experiment, reinterpretAsUInt128(sipHash128(x.unit)) AS key, any(x.unit), min(x.variant), max(x.variant), min(bitShiftLeft(toUInt128(greatest(0, toUnixTimestamp64Milli(x.exposed_at))), 64) + toUInt128(greatest(0, toUnixTimestamp64Milli(x.received_at))))
FROM exposures AS x
WHERE x.unit != ''
GROUP BY experiment, key
SETTINGS optimize_aggregation_in_order = 0, max_insert_threads = 1, max_bytes_before_external_group_by = 1000000000;

-- +goose Down
DROP VIEW IF EXISTS exposures_first;
DROP TABLE IF EXISTS first_exposures;
