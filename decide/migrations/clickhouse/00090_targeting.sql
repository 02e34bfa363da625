-- +goose Up
-- Which running experiments do not have the person and why, how somebody came to a
-- variant, and what audiences read of them.
ALTER TABLE decisions
  ADD COLUMN IF NOT EXISTS experiment_how Array(LowCardinality(String)) COMMENT 'forced, keep, sticky, or empty for the hash alone' AFTER experiment_versions,
  ADD COLUMN IF NOT EXISTS experiment_units Array(String) COMMENT 'what was assigned, empty for the profile' AFTER experiment_how,
  ADD COLUMN IF NOT EXISTS excluded Array(LowCardinality(String)) AFTER experiment_units,
  ADD COLUMN IF NOT EXISTS excluded_versions Array(UInt64) AFTER excluded,
  ADD COLUMN IF NOT EXISTS excluded_reasons Array(LowCardinality(String)) AFTER excluded_versions,
  ADD COLUMN IF NOT EXISTS excluded_units Array(String) AFTER excluded_reasons,
  ADD COLUMN IF NOT EXISTS audience String DEFAULT '{}' CODEC(ZSTD(1)) AFTER traits;

-- Who was forced into a variant was not drawn, and counts in no report.
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
ARRAY JOIN experiments AS experiment, variants AS variant, arrayResize(experiment_how, length(experiments)) AS how
WHERE how != 'forced';
-- +goose StatementEnd

-- +goose Down
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
ALTER TABLE decisions
  DROP COLUMN IF EXISTS experiment_how,
  DROP COLUMN IF EXISTS experiment_units,
  DROP COLUMN IF EXISTS excluded,
  DROP COLUMN IF EXISTS excluded_versions,
  DROP COLUMN IF EXISTS excluded_reasons,
  DROP COLUMN IF EXISTS excluded_units,
  DROP COLUMN IF EXISTS audience;
