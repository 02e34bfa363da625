-- +goose Up
-- What a predictive model or the recommender expected of each candidate.
ALTER TABLE decisions
  ADD COLUMN IF NOT EXISTS candidate_values Array(Float64) COMMENT 'expected of each candidate before charges; empty where the policy did not compare by values' AFTER charges;

-- +goose Down
ALTER TABLE decisions DROP COLUMN IF EXISTS candidate_values;
