-- +goose Up
-- What people stated about consent: the latest statement of each profile about each
-- purpose, channel and topic. All statements are events.
CREATE TABLE profile_consents (
  profile_id text COLLATE "C" NOT NULL,
  purpose text COLLATE "C" NOT NULL, -- * for any
  channel text COLLATE "C" NOT NULL, -- * for any
  topic text COLLATE "C" NOT NULL,   -- empty for all
  -- Consents that were not confirmed a second time are kept beside what is final.
  confirmed boolean NOT NULL,
  status text NOT NULL CHECK (status IN ('granted', 'denied', 'withdrawn')),
  stated_at timestamptz NOT NULL,
  expires_at timestamptz,
  source text NOT NULL,
  message_id text NOT NULL,
  proof jsonb NOT NULL,
  PRIMARY KEY (profile_id, purpose, channel, topic, confirmed)
);

-- Addresses that nothing is sent to. Of an address that was erased only the keyed
-- hash is known.
CREATE TABLE profile_suppressions (
  hash bytea PRIMARY KEY,
  namespace text COLLATE "C" NOT NULL,
  value text COLLATE "C",
  reason text NOT NULL CHECK (reason IN ('bounce', 'complaint', 'manual', 'erasure')),
  scope text NOT NULL CHECK (scope IN ('all', 'advertising')),
  note text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  -- Order of changes, by which other processes follow; removals are changes too.
  change bigint NOT NULL UNIQUE,
  removed boolean NOT NULL DEFAULT false
);

CREATE SEQUENCE profile_suppression_changes;

CREATE TABLE profile_secrets (
  name text PRIMARY KEY,
  secret bytea NOT NULL
);

-- +goose Down
DROP TABLE profile_secrets;
DROP SEQUENCE profile_suppression_changes;
DROP TABLE profile_suppressions;
DROP TABLE profile_consents;
