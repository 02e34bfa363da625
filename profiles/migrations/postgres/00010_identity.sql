-- +goose Up
-- The log of identity: which profiles were joined and told apart, by whom and
-- why. Rows are only ever added, in the order of position.
CREATE TABLE identity_edges (
  position bigint PRIMARY KEY,
  entry_id text COLLATE "C" NOT NULL,
  kind text NOT NULL,
  -- The profiles; of use and share, a is the hash of a device's identifier.
  a text COLLATE "C" NOT NULL,
  b text COLLATE "C" NOT NULL,
  since_a timestamptz NOT NULL,
  since_b timestamptz NOT NULL,
  stamp bigint NOT NULL,
  rule text NOT NULL,
  explicit boolean NOT NULL,
  evidence text NOT NULL, -- id of the message
  source text NOT NULL,   -- API key that sent it
  decided_by text NOT NULL,
  reason text NOT NULL,
  valid_from timestamptz NOT NULL
);

CREATE INDEX identity_edges_a ON identity_edges (a);
CREATE INDEX identity_edges_b ON identity_edges (b);
CREATE INDEX identity_edges_entry ON identity_edges (entry_id);

-- Whom a profile belongs to from a moment on, as the log has it: goes to the
-- table person_map in ClickHouse.
CREATE TABLE identity_moves (
  position bigint NOT NULL,
  profile_id text COLLATE "C" NOT NULL,
  person_id text COLLATE "C" NOT NULL,
  valid_from timestamptz NOT NULL,
  PRIMARY KEY (position, profile_id)
);

-- +goose Down
DROP TABLE identity_moves;
DROP TABLE identity_edges;
