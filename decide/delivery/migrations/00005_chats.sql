-- +goose Up
-- Whose a chat is, by a keyed hash of its id: who writes there is known by it.
CREATE TABLE delivery_chats (
  hash bytea PRIMARY KEY,
  channel text NOT NULL,
  person text NOT NULL,
  profile_id text NOT NULL,
  at timestamptz NOT NULL
);
CREATE INDEX delivery_chats_by_person ON delivery_chats (person);
CREATE INDEX delivery_steps_by_address ON delivery_steps (address, delivery DESC) WHERE address IS NOT NULL;

-- +goose Down
DROP INDEX delivery_steps_by_address;
DROP TABLE delivery_chats;
