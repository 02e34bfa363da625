-- +goose Up
-- The newest version of every definition. A deleted one stays, so that its key
-- goes on with the next version number when it is created again.
CREATE TABLE definitions (
  kind text NOT NULL,
  key text NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  body jsonb NOT NULL,
  deleted boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by text NOT NULL,
  PRIMARY KEY (kind, key)
);

-- Every version that there ever was.
CREATE TABLE definition_versions (
  kind text NOT NULL,
  key text NOT NULL,
  version bigint NOT NULL,
  body jsonb NOT NULL,
  deleted boolean NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by text NOT NULL,
  PRIMARY KEY (kind, key, version)
);

-- +goose Down
DROP TABLE definition_versions;
DROP TABLE definitions;
