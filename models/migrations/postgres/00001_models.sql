-- +goose Up
-- Every version of every model. None is changed after it was written, and a
-- decision may name any of them.
CREATE TABLE models (
  decision_point text NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  built_at timestamptz NOT NULL,
  through numeric(20) NOT NULL,
  decisions bigint NOT NULL,
  reward double precision NOT NULL,
  spec text NOT NULL,
  volume_decisions bigint NOT NULL,
  volume_outcomes bigint NOT NULL,
  actions jsonb NOT NULL,
  artefact bytea NOT NULL,
  PRIMARY KEY (decision_point, version)
);
COMMENT ON COLUMN models.through IS 'largest stream sequence among the decisions learned from';
COMMENT ON COLUMN models.spec IS 'fingerprint of what was asked for';
COMMENT ON COLUMN models.volume_decisions IS 'decisions there were when it was built; with volume_outcomes it tells when the next is due';
COMMENT ON COLUMN models.artefact IS 'the posterior to the last bit, compressed with zstd';
-- Compressed already: do not try again.
ALTER TABLE models ALTER COLUMN artefact SET STORAGE EXTERNAL;

-- +goose Down
DROP TABLE models;
