-- +goose Up
-- When a decision became known, which for one that was made elsewhere is later
-- than the decision itself.
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS received_at DateTime64(3, 'UTC') DEFAULT decided_at AFTER decided_at;

-- +goose StatementBegin
ALTER TABLE decision_exposures MODIFY QUERY
SELECT
  experiment,
  variant,
  profile_id AS unit,
  decided_at AS exposed_at,
  received_at,
  decision_id,
  source,
  sequence
FROM decisions
ARRAY JOIN experiments AS experiment, variants AS variant;
-- +goose StatementEnd

-- +goose Down
ALTER TABLE decisions DROP COLUMN IF EXISTS received_at;
