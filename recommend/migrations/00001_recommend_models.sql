-- +goose Up
-- Every build of the recommenders that was kept. The newest is served.
CREATE TABLE recommend_models (
  version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  built_at timestamptz NOT NULL,
  report jsonb NOT NULL,
  artefact bytea NOT NULL
);
COMMENT ON COLUMN recommend_models.report IS 'what it was built of and how well it did on what it was not shown';
COMMENT ON COLUMN recommend_models.artefact IS 'the models with the numbering of their items';
ALTER TABLE recommend_models ALTER COLUMN artefact SET STORAGE EXTERNAL;

-- +goose Down
DROP TABLE recommend_models;
