-- +goose Up
-- What policies that do not decide would have done, decision by decision, and what the
-- policy that decided expected of it; by the models of that moment.
CREATE TABLE IF NOT EXISTS policy_shadows (
  decision_point LowCardinality(String),
  candidate LowCardinality(String) COMMENT 'key of the candidate policy; empty for the policy that decided',
  decision_id String,
  decided_at DateTime64(3, 'UTC'),
  policy_version UInt64 COMMENT 'version of the candidate, or of the decision point',
  model_version UInt64,
  propensity Float64 COMMENT 'probability of the action, as it was drawn',
  target Float64 COMMENT 'probability that the candidate gives it',
  expected Float64 COMMENT 'reward that is expected of the action',
  value Float64 COMMENT 'reward that is expected of the candidate',
  unreached Float64 COMMENT 'share of the candidate on actions that could not be drawn'
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(decided_at)
ORDER BY (decision_point, candidate, decision_id)
TTL toDateTime(decided_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- +goose Down
DROP TABLE IF EXISTS policy_shadows;
