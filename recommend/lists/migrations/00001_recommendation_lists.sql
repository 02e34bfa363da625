-- +goose Up
-- Lists of items that people were given, with the probability of each place. In the order
-- of people, as learning and serving history read them beside what people did.
CREATE TABLE IF NOT EXISTS recommendation_lists (
  list_id String,
  sequence UInt64,
  at DateTime64(3, 'UTC'),
  placement LowCardinality(String),
  profile_id String,
  version UInt64,
  ranker UInt64,
  personal Bool,
  asked UInt32,
  named Array(String),
  items Array(String),
  propensities Array(Float64),
  probabilities Array(Float64),
  scores Array(Float64),
  reasons Array(LowCardinality(String)),
  source LowCardinality(String)
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (profile_id, at, list_id)
SETTINGS non_replicated_deduplication_window = 1000;
-- +goose Down
DROP TABLE IF EXISTS recommendation_lists;
