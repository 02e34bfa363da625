-- +goose Up
-- Repeatable: ClickHouse cannot undo a migration that broke off half-way.
CREATE TABLE IF NOT EXISTS decisions (
  decision_id String,
  sequence UInt64 COMMENT 'position in the stream',
  decided_at DateTime64(3, 'UTC'),
  decision_point LowCardinality(String),
  point_version UInt64,
  class LowCardinality(String),
  profile_id String,
  `group` LowCardinality(String) COMMENT 'treated, control or holdout',
  eligible Bool,
  reasons Array(LowCardinality(String)),
  action LowCardinality(String) COMMENT 'offer/channel/creative, none, or empty when not eligible',
  offer LowCardinality(String),
  channel LowCardinality(String),
  creative LowCardinality(String),
  items Array(String),
  send_at DateTime64(3, 'UTC'),
  contact_cost Float64,
  propensity Float64 COMMENT 'probability of the action',
  propensity_what Float64,
  propensity_where Float64 COMMENT 'given what',
  propensity_when Float64 COMMENT 'given what and where',
  propensity_how Float64 COMMENT 'given what, where and when',
  policy LowCardinality(String),
  model_version UInt64,
  draw Float64,
  candidates Array(LowCardinality(String)),
  probabilities Array(Float64),
  removed_actions Array(LowCardinality(String)),
  removed_rules Array(LowCardinality(String)),
  feature_index Array(UInt32),
  feature_value Array(Float64),
  experiments Array(LowCardinality(String)),
  variants Array(LowCardinality(String)),
  experiment_versions Array(UInt64),
  fallback Bool,
  fallback_reason LowCardinality(String),
  source LowCardinality(String),
  context String CODEC(ZSTD(1)),
  traits String CODEC(ZSTD(1)),
  INDEX by_decision_id decision_id TYPE bloom_filter(0.001) GRANULARITY 4,
  INDEX by_profile_id profile_id TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(decided_at)
ORDER BY (decision_point, decision_id)
SETTINGS non_replicated_deduplication_window = 1000;

-- Every decision that counts for an experiment exposes the person to its variant.
-- +goose StatementBegin
CREATE MATERIALIZED VIEW IF NOT EXISTS decision_exposures TO exposures AS
SELECT
  experiment,
  variant,
  profile_id AS unit,
  decided_at AS exposed_at,
  decision_id,
  source,
  sequence
FROM decisions
ARRAY JOIN experiments AS experiment, variants AS variant;
-- +goose StatementEnd

-- +goose Down
DROP VIEW IF EXISTS decision_exposures;
DROP TABLE IF EXISTS decisions;
