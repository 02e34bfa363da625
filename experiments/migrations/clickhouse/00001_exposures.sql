-- +goose Up
-- Who saw which variant, and when. Filled by views on the log; a row may be
-- there twice, so readers take the earliest per unit.
CREATE TABLE IF NOT EXISTS exposures (
  experiment LowCardinality(String),
  variant LowCardinality(String),
  unit String COMMENT 'profile id',
  exposed_at DateTime64(3, 'UTC'),
  decision_id String COMMENT 'empty when the exposure came as an event',
  source LowCardinality(String) COMMENT 'API key that sent it',
  sequence UInt64 COMMENT 'position in the stream'
) ENGINE = MergeTree
ORDER BY (experiment, unit, exposed_at)
SETTINGS non_replicated_deduplication_window = 1000;

-- +goose Down
DROP TABLE IF EXISTS exposures;
