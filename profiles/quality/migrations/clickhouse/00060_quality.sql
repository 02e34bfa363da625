-- +goose Up
-- What came in, counted: with an empty field one row per source, event and hour,
-- otherwise one per field and day, both by the time of receipt. Rows of the same
-- key add up: read with sum, min, max and GROUP BY.
CREATE TABLE IF NOT EXISTS quality_fields (
  bucket DateTime('UTC') COMMENT 'beginning of the hour or day',
  source LowCardinality(String) COMMENT 'as in events',
  event LowCardinality(String) COMMENT '* for all events beyond the bound',
  field String COMMENT 'path such as properties.cart.value; empty for the event itself; * for names that are values',
  present SimpleAggregateFunction(sum, UInt64) COMMENT 'events; events that have the field',
  empty SimpleAggregateFunction(sum, UInt64) COMMENT 'of these: null, or empty text, list or object',
  texts SimpleAggregateFunction(sum, UInt64), numbers SimpleAggregateFunction(sum, UInt64), flags SimpleAggregateFunction(sum, UInt64),
  objects SimpleAggregateFunction(sum, UInt64), arrays SimpleAggregateFunction(sum, UInt64),
  dates SimpleAggregateFunction(sum, UInt64) COMMENT 'texts that look like a date', emails SimpleAggregateFunction(sum, UInt64), phones SimpleAggregateFunction(sum, UInt64),
  cards SimpleAggregateFunction(sum, UInt64), addresses SimpleAggregateFunction(sum, UInt64) COMMENT 'of networks',
  checked SimpleAggregateFunction(sum, UInt64) COMMENT 'values that a schema or a declared trait is about',
  broken SimpleAggregateFunction(sum, UInt64) COMMENT 'of these: that break it',
  late SimpleAggregateFunction(sum, UInt64) COMMENT 'events that came more than an hour after they happened',
  violations SimpleAggregateFunction(sum, UInt64) COMMENT 'events that break their schema',
  overflow SimpleAggregateFunction(sum, UInt64) COMMENT 'fields, or events, that are too many to be counted',
  minimum SimpleAggregateFunction(min, Float64), maximum SimpleAggregateFunction(max, Float64),
  first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC')), last_seen SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
  registers SimpleAggregateFunction(maxMap, Map(UInt16, UInt8)) COMMENT 'HyperLogLog of the values, 1024 registers'
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(bucket)
ORDER BY (source, event, field, bucket)
TTL bucket + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;

-- What the door saw, by hour: messages by what became of them, and how long
-- events took to their profile. Rows of the same key add up.
CREATE TABLE IF NOT EXISTS quality_intake (
  hour DateTime('UTC'),
  source LowCardinality(String),
  accepted SimpleAggregateFunction(sum, UInt64) COMMENT 'repeated ones included',
  repeated SimpleAggregateFunction(sum, UInt64),
  refused SimpleAggregateFunction(sum, UInt64),
  unkept SimpleAggregateFunction(sum, UInt64) COMMENT 'refused and not kept in quarantine, as there are too many',
  lag SimpleAggregateFunction(sumMap, Map(UInt16, UInt64)) COMMENT 'events by bucket b: at most 2^(b/8)-1 ms from receipt to the profile in memory'
) ENGINE = AggregatingMergeTree
ORDER BY (source, hour)
TTL hour + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- The scores of each day; the row computed last counts: read with FINAL.
CREATE TABLE IF NOT EXISTS quality_scores (
  day Date,
  source LowCardinality(String),
  events UInt64,
  completeness Float64 COMMENT '0 to 100; NaN where there is nothing to judge',
  validity Float64, uniqueness Float64, timeliness Float64, consistency Float64,
  total Float64,
  computed_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(computed_at)
ORDER BY (source, day);

-- +goose Down
DROP TABLE IF EXISTS quality_scores;
DROP TABLE IF EXISTS quality_intake;
DROP TABLE IF EXISTS quality_fields;
