-- +goose Up
-- What was removed because its time had come.
CREATE TABLE retention_runs (
  run_id text COLLATE "C" PRIMARY KEY,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  started_by text NOT NULL,
  results jsonb NOT NULL,
  error text NOT NULL
);

-- +goose Down
DROP TABLE retention_runs;
