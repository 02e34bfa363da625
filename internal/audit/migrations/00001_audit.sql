-- +goose Up
-- Who changed what, and who looked at personal data. Rows are never updated.
CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,
  actor text NOT NULL,        -- key:<id>, user:<name>, or anonymous
  actor_name text NOT NULL,
  operation text NOT NULL,    -- put-offer, get-profile, …
  method text NOT NULL,
  path text NOT NULL,
  status integer NOT NULL,
  personal boolean NOT NULL,  -- personal data was shown; otherwise something was changed
  request_id text NOT NULL,
  address text NOT NULL
);
CREATE INDEX audit_log_actor ON audit_log (actor, id);
CREATE INDEX audit_log_path ON audit_log (left(path, 200) text_pattern_ops, id);
CREATE INDEX audit_log_at ON audit_log (at);

-- +goose Down
DROP TABLE audit_log;
