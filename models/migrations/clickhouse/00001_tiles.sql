-- +goose Up
-- What the log says of a day, as sums that add: the decisions of one action of a
-- decision point, with their rewards by kind of outcome. A day is written as a whole,
-- by a run; a later run replaces it, where the day has changed since.
CREATE TABLE IF NOT EXISTS model_tiles (
  decision_point LowCardinality(String),
  recipe String COMMENT 'fingerprint of the features, outcomes and weights that the sums are made of',
  day Date COMMENT 'of the decisions, UTC',
  action String COMMENT 'empty in the row of a day without any',
  run UInt64 COMMENT 'the newest of a day counts',
  tiles UInt32 COMMENT 'actions that the run found on the day',
  signature UInt64 COMMENT 'fingerprint of the decisions and rewards of the day',
  decisions UInt64,
  clamped UInt64 COMMENT 'rewards that were cut to what a model can bear',
  through UInt64 COMMENT 'largest stream sequence among the decisions',
  weight Float64 COMMENT 'sum of the importance weights w',
  earned Array(Float64) COMMENT 'sum of t by outcome; the contact cost comes last',
  totals Array(Float64) COMMENT 'sum of wt',
  products Array(Float64) COMMENT 'sum of wtt'', packed lower triangle',
  features Array(UInt32),
  feature_totals Array(Array(Float64)) COMMENT 'sum of wtx by feature, by outcome',
  pairs Array(UInt64) COMMENT 'i * 2^32 + j' CODEC(Delta, ZSTD(1)),
  pair_sums Array(Float64) COMMENT 'sum of w x_i x_j'
) ENGINE = ReplacingMergeTree(run)
PARTITION BY toYYYYMM(day)
ORDER BY (decision_point, recipe, day, action);

-- +goose Down
DROP TABLE IF EXISTS model_tiles;
