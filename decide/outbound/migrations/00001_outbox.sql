-- +goose Up
-- Messages that campaigns and scenarios decided on, until delivery has them, and
-- for some time after that.
CREATE TABLE outbox_messages (
  key text PRIMARY KEY,
  number bigint GENERATED ALWAYS AS IDENTITY,
  origin text NOT NULL,
  origin_key text NOT NULL,
  step text NOT NULL,
  person text NOT NULL,
  profile_id text NOT NULL,
  body jsonb NOT NULL,
  send_at timestamptz NOT NULL,
  stored_at timestamptz NOT NULL,
  handed_at timestamptz
);
CREATE INDEX outbox_messages_waiting ON outbox_messages (number) WHERE handed_at IS NULL;
CREATE INDEX outbox_messages_by_person ON outbox_messages (person);
CREATE INDEX outbox_messages_by_profile ON outbox_messages (profile_id);
CREATE INDEX outbox_messages_by_origin ON outbox_messages (origin, origin_key, number);
CREATE INDEX outbox_messages_by_age ON outbox_messages (handed_at) WHERE handed_at IS NOT NULL;

-- +goose Down
DROP TABLE outbox_messages;
