-- +goose Up
-- The state of each profile as of a position in the stream: see profile_positions.
CREATE TABLE profiles (
  profile_id text COLLATE "C" PRIMARY KEY,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  events bigint NOT NULL,
  traits jsonb NOT NULL,
  traits_at timestamptz NOT NULL,
  -- Times of single traits, where they differ; null while traits_at holds for all.
  trait_times jsonb
) WITH (fillfactor = 80); -- room for updates of last_seen_at and events in place

-- Only the beginning is indexed: an index refuses values of more than 2.7 kB.
CREATE INDEX profiles_name ON profiles (left(lower(traits ->> 'name'), 100) text_pattern_ops) WHERE traits ? 'name';
CREATE INDEX profiles_first_name ON profiles (left(lower(traits ->> 'firstName'), 100) text_pattern_ops) WHERE traits ? 'firstName';
CREATE INDEX profiles_last_name ON profiles (left(lower(traits ->> 'lastName'), 100) text_pattern_ops) WHERE traits ? 'lastName';

CREATE TABLE profile_identifiers (
  namespace text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  profile_id text COLLATE "C" NOT NULL,
  first_seen_at timestamptz NOT NULL,
  -- Order of decisions about identity; a later one is never overwritten.
  stamp bigint NOT NULL,
  PRIMARY KEY (namespace, value)
);

CREATE INDEX profile_identifiers_profile ON profile_identifiers (profile_id);
CREATE INDEX profile_identifiers_value ON profile_identifiers (lower(value) text_pattern_ops);

-- Up to which sequence of a topic the tables of this package hold the truth.
CREATE TABLE profile_positions (
  topic text PRIMARY KEY,
  sequence bigint NOT NULL,
  saved_at timestamptz NOT NULL DEFAULT now()
);

-- Records of the stream that a reader could not understand, kept for a look.
CREATE TABLE rejected_records (
  topic text NOT NULL,
  reader text NOT NULL,
  sequence bigint NOT NULL,
  reason text NOT NULL,
  payload bytea NOT NULL,
  rejected_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, reader, sequence)
);

-- +goose Down
DROP TABLE rejected_records;
DROP TABLE profile_positions;
DROP TABLE profile_identifiers;
DROP TABLE profiles;
