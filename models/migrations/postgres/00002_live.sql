-- +goose Up
-- A version is either built from the log, or continues the version before it by what
-- has come since, as a list of observations. Both are numbers that decisions name.
ALTER TABLE models
  ALTER COLUMN artefact DROP NOT NULL,
  ADD COLUMN track text NOT NULL DEFAULT '',
  ADD COLUMN base bigint,
  ADD COLUMN previous bigint,
  ADD COLUMN updates bytea,
  ADD COLUMN updated_at timestamptz,
  ADD COLUMN decisions_position numeric(20),
  ADD COLUMN events_position numeric(20),
  ADD COLUMN delays double precision[],
  ADD COLUMN average double precision[],
  ADD COLUMN pruned_at timestamptz;
ALTER TABLE models ALTER COLUMN updates SET STORAGE EXTERNAL;
COMMENT ON COLUMN models.track IS 'key of the candidate policy that it is learned for; empty for the policy that decides';
COMMENT ON COLUMN models.base IS 'version that was built, which a live version continues; null for one that was built';
COMMENT ON COLUMN models.previous IS 'version whose observations come before those of this live one';
COMMENT ON COLUMN models.updates IS 'observations since the previous version, in their order, compressed with zstd';
COMMENT ON COLUMN models.decisions_position IS 'sequence of the stream of decisions up to which the version holds, null where it is not known; written in the transaction that writes the version';
COMMENT ON COLUMN models.delays IS 'share of the rewards that has come by each hour of age';
COMMENT ON COLUMN models.average IS 'mean feature vector of what a built version learned from';
COMMENT ON COLUMN models.pruned_at IS 'when its numbers were removed because no stored decision names it';
CREATE INDEX models_by_track ON models (decision_point, track, version DESC);
CREATE INDEX models_by_base ON models (decision_point, base, version) WHERE base IS NOT NULL;

-- Decision points that go back to a version, until they are let go.
CREATE TABLE model_pins (
  decision_point text PRIMARY KEY,
  version bigint NOT NULL,
  reason text NOT NULL,
  actor text NOT NULL,
  pinned_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE model_pins;
DELETE FROM models WHERE artefact IS NULL OR track != '';
ALTER TABLE models
  DROP COLUMN track, DROP COLUMN base, DROP COLUMN previous, DROP COLUMN updates, DROP COLUMN updated_at, DROP COLUMN decisions_position,
  DROP COLUMN events_position, DROP COLUMN delays, DROP COLUMN average, DROP COLUMN pruned_at,
  ALTER COLUMN artefact SET NOT NULL;
