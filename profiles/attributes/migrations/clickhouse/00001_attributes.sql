-- +goose Up
-- What is known of each person as of a moment, in numbers: the material of one
-- computation, which is removed after it. NaN stands for what is absent.
CREATE TABLE IF NOT EXISTS person_facts (
  run UInt64 COMMENT 'the computation',
  person_id String,
  registered Float64, events Float64, sessions Float64, views Float64, carts Float64, checkouts Float64,
  orders Float64, spend Float64, margin Float64, discountShare Float64, peakShare Float64, orderGapDays Float64,
  openView Float64, openCart Float64, openCheckout Float64,
  daysSinceFirstSeen Float64, daysSinceLastSeen Float64, daysSinceFirstOrder Float64, daysSinceLastOrder Float64,
  daysSinceLastView Float64, daysSinceLastCart Float64, daysSinceLastCheckout Float64,
  firstSeenAt Int64 COMMENT 'Unix milliseconds; 0 when never, in all four', lastSeenAt Int64, firstOrderAt Int64, lastOrderAt Int64
) ENGINE = MergeTree
PARTITION BY run
ORDER BY person_id;

-- What else one computation found out about people, as JSON objects whose
-- members are attributes.
CREATE TABLE IF NOT EXISTS person_values (
  run UInt64,
  person_id String,
  attributes String
) ENGINE = MergeTree
PARTITION BY run
ORDER BY person_id;

-- The attributes of each person with their history: a row whenever something
-- other than the mere passing of days has changed.
CREATE TABLE IF NOT EXISTS profile_attributes (
  person_id String,
  computed_at DateTime64(3, 'UTC'),
  stage LowCardinality(String),
  segment LowCardinality(String) COMMENT 'lifecycle segment',
  rfm LowCardinality(String) COMMENT 'three digits; empty without orders',
  rfm_segment LowCardinality(String),
  losses Array(LowCardinality(String)),
  orders Float64,
  spend Float64,
  attributes String COMMENT 'JSON object' CODEC(ZSTD(1)),
  hash UInt64 COMMENT 'of what makes a new row'
) ENGINE = ReplacingMergeTree
ORDER BY (person_id, computed_at);

-- +goose Down
DROP TABLE IF EXISTS profile_attributes;
DROP TABLE IF EXISTS person_values;
DROP TABLE IF EXISTS person_facts;
