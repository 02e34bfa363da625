-- +goose Up
-- What a list shows of a decision, in one column: each that a query names costs it
-- about as much as fifty rows of one. Rows that are there already get it when parts
-- merge, and until then when they are read.
ALTER TABLE decision_timeline
  ADD COLUMN IF NOT EXISTS card String
  MATERIALIZED formatRowNoNewline('RowBinary', decision_id, decided_at, decision_point, profile_id, `group`, eligible, action, offer, channel, creative, propensity, policy, fallback, experiments, variants, experiment_versions)
  COMMENT 'what a list shows of the decision, in RowBinary' CODEC(ZSTD(1));

-- +goose Down
ALTER TABLE decision_timeline DROP COLUMN IF EXISTS card;
