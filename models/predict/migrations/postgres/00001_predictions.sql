-- +goose Up
-- Every version of every predictive model, with all that is needed to judge it and to
-- score with it.
CREATE TABLE prediction_versions (
  model text NOT NULL,
  version bigint NOT NULL,
  family text NOT NULL,
  state text NOT NULL CHECK (state IN ('challenger', 'champion', 'retired')),
  learner text NOT NULL,
  trained_at timestamptz NOT NULL,
  as_of timestamptz NOT NULL,
  window_from timestamptz NOT NULL,
  window_to timestamptz NOT NULL,
  definition_version bigint NOT NULL,
  code_version text NOT NULL,
  rows bigint NOT NULL,
  seconds double precision NOT NULL,
  verdict text NOT NULL,
  metrics jsonb NOT NULL,
  artefact bytea NOT NULL,
  promoted_at timestamptz,
  PRIMARY KEY (model, version)
);
CREATE UNIQUE INDEX prediction_champions ON prediction_versions (model) WHERE state = 'champion';
-- Runs of training and scoring, with how they ended.
CREATE TABLE prediction_jobs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  model text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('train', 'score')),
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  version bigint,
  result text NOT NULL DEFAULT '',
  error text NOT NULL DEFAULT ''
);
CREATE INDEX prediction_jobs_of_model ON prediction_jobs (model, id DESC);
-- +goose Down
DROP TABLE prediction_jobs;
DROP TABLE prediction_versions;
