-- +goose Up
-- What the champion of each model says of each person: a JSON object of attributes. The
-- newest row counts.
CREATE TABLE IF NOT EXISTS person_scores (
  model LowCardinality(String),
  person_id String,
  attributes String CODEC(ZSTD(1)),
  version UInt64,
  scored_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(scored_at)
ORDER BY (model, person_id);
-- +goose Down
DROP TABLE IF EXISTS person_scores;
