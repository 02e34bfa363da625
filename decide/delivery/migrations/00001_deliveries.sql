-- +goose Up
-- One row a message, whatever becomes of it; its key makes it one.
CREATE TABLE deliveries (
  id text PRIMARY KEY,
  key text NOT NULL UNIQUE,
  person text NOT NULL,
  profile_id text NOT NULL,
  decision_id text NOT NULL,
  channel text NOT NULL,
  body jsonb NOT NULL,
  cascade jsonb,
  state text NOT NULL,
  reason text NOT NULL DEFAULT '',
  cap text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX deliveries_by_person ON deliveries (person);
CREATE INDEX deliveries_by_profile ON deliveries (profile_id);
CREATE INDEX deliveries_by_channel ON deliveries (channel, id);

-- One row a channel on which a message is, or was, to be sent.
CREATE TABLE delivery_steps (
  delivery text NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
  step int NOT NULL,
  channel text NOT NULL,
  state text NOT NULL,
  reason text NOT NULL DEFAULT '',
  due_at timestamptz NOT NULL,
  lease_until timestamptz,
  worker text NOT NULL DEFAULT '',
  attempts int NOT NULL DEFAULT 0,
  provider_id text NOT NULL DEFAULT '',
  links text[] NOT NULL DEFAULT '{}',
  sent_at timestamptz,
  delivered_at timestamptz,
  opened_at timestamptz,
  clicked_at timestamptz,
  replied_at timestamptz,
  failed_at timestamptz,
  machine_at timestamptz,
  PRIMARY KEY (delivery, step)
);
CREATE INDEX delivery_steps_due ON delivery_steps (channel, due_at) WHERE state = 'queued';
CREATE INDEX delivery_steps_held ON delivery_steps (lease_until) WHERE state IN ('claimed', 'sending');
CREATE INDEX delivery_steps_provider ON delivery_steps (channel, provider_id) WHERE provider_id <> '';

-- Events on their way to the stream.
CREATE TABLE delivery_notes (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  person text NOT NULL,
  profile_id text NOT NULL,
  message_id text NOT NULL UNIQUE,
  event text NOT NULL,
  at timestamptz NOT NULL,
  properties jsonb NOT NULL
);

-- Addresses to which nothing goes any more, by a keyed hash.
CREATE TABLE delivery_dead (
  hash bytea PRIMARY KEY,
  person text NOT NULL,
  profile_id text NOT NULL,
  channel text NOT NULL,
  at timestamptz NOT NULL
);
CREATE INDEX delivery_dead_by_person ON delivery_dead (person);

CREATE TABLE channel_drivers (
  channel text PRIMARY KEY,
  config jsonb NOT NULL,
  secrets bytea NOT NULL,
  version bigint NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by text NOT NULL
);

-- +goose Down
DROP TABLE channel_drivers;
DROP TABLE delivery_dead;
DROP TABLE delivery_notes;
DROP TABLE delivery_steps;
DROP TABLE deliveries;
