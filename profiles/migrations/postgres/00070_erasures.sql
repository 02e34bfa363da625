-- +goose Up
-- Erasures of people. While one is under way subject says whom it is about;
-- when it is done nothing personal is left, and the proof says what was done.
CREATE TABLE erasures (
  erasure_id text COLLATE "C" PRIMARY KEY,
  status text NOT NULL CHECK (status IN ('waiting', 'running', 'rewriting', 'done')),
  mode text NOT NULL,
  reason text NOT NULL,
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  attempts integer NOT NULL DEFAULT 0,
  error text NOT NULL DEFAULT '',
  profiles integer NOT NULL,
  identifiers integer NOT NULL,
  subject jsonb,
  removed jsonb NOT NULL DEFAULT '{}', -- counts by store and table
  checks jsonb NOT NULL DEFAULT '[]',
  proof text, -- a JSON document, byte by byte
  proof_sha256 text
);

CREATE INDEX erasures_open ON erasures (erasure_id) WHERE status <> 'done';

-- +goose Down
DROP TABLE erasures;
