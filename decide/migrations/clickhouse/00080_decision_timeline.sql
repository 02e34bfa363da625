-- +goose Up
-- Decisions in the order of the people that they are about, with what a list of
-- them shows. Parts are compact, so that a part is one file to open.
CREATE TABLE IF NOT EXISTS decision_timeline (
  profile_id String,
  decision_id String,
  decision_point LowCardinality(String),
  decided_at DateTime64(3, 'UTC'),
  `group` LowCardinality(String),
  eligible Bool,
  action LowCardinality(String),
  offer LowCardinality(String),
  channel LowCardinality(String),
  creative LowCardinality(String),
  propensity Float64,
  policy LowCardinality(String),
  experiments Array(LowCardinality(String)),
  variants Array(LowCardinality(String)),
  experiment_versions Array(UInt64),
  fallback Bool
) ENGINE = ReplacingMergeTree
PARTITION BY toYear(decided_at)
PRIMARY KEY (profile_id, decision_id)
ORDER BY (profile_id, decision_id, decision_point)
SETTINGS index_granularity = 256, min_bytes_for_wide_part = 1000000000000, non_replicated_deduplication_window = 1000;

-- +goose StatementBegin
CREATE MATERIALIZED VIEW IF NOT EXISTS decisions_by_profile TO decision_timeline AS
SELECT profile_id, decision_id, decision_point, decided_at, `group`, eligible, action, offer, channel, creative, propensity, policy, experiments, variants, experiment_versions, fallback
FROM decisions;
-- +goose StatementEnd

-- What there was before; a second time adds only rows that merge with those of
-- the first.
INSERT INTO decision_timeline (profile_id, decision_id, decision_point, decided_at, `group`, eligible, action, offer, channel, creative, propensity, policy, experiments, variants, experiment_versions, fallback)
SELECT profile_id, decision_id, decision_point, decided_at, `group`, eligible, action, offer, channel, creative, propensity, policy, experiments, variants, experiment_versions, fallback
FROM decisions
SETTINGS max_partitions_per_insert_block = 0, max_insert_threads = 1;

-- +goose Down
DROP VIEW IF EXISTS decisions_by_profile;
DROP TABLE IF EXISTS decision_timeline;
