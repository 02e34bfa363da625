-- +goose Up
-- What limits added to decisions: the tags that caps count, what the budgets charged
-- each candidate, and the moments of which one was drawn.
ALTER TABLE decisions
  ADD COLUMN IF NOT EXISTS tags Array(LowCardinality(String)) COMMENT 'of the offer, as they were' AFTER items,
  ADD COLUMN IF NOT EXISTS charges Array(Float64) COMMENT 'taken off the value of each candidate; empty when nothing was' AFTER probabilities,
  ADD COLUMN IF NOT EXISTS slots Array(DateTime64(3, 'UTC')) COMMENT 'moments of which sending was drawn' AFTER send_at,
  ADD COLUMN IF NOT EXISTS slot_probabilities Array(Float64) AFTER slots;

-- +goose Down
ALTER TABLE decisions DROP COLUMN IF EXISTS tags, DROP COLUMN IF EXISTS charges, DROP COLUMN IF EXISTS slots, DROP COLUMN IF EXISTS slot_probabilities;
