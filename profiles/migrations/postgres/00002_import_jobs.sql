-- +goose Up
-- One file that is being brought in, recognised by its content: a second run
-- goes on where the first stopped.
CREATE TABLE import_jobs (
  import_id text PRIMARY KEY,
  kind text NOT NULL,
  file_hash text NOT NULL,
  mapping_hash text NOT NULL,
  name text NOT NULL,
  status text NOT NULL CHECK (status IN ('running', 'complete', 'failed')),
  rows_total bigint NOT NULL,
  rows_done bigint NOT NULL DEFAULT 0,
  accepted bigint NOT NULL DEFAULT 0,
  rejected bigint NOT NULL DEFAULT 0,
  error text NOT NULL DEFAULT '',
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  UNIQUE (kind, file_hash, mapping_hash)
);

-- +goose Down
DROP TABLE import_jobs;
