-- +goose Up
-- A failure that may pass, a bounce and a complaint are three things: one does not hide
-- the others.
ALTER TABLE delivery_steps ADD COLUMN bounced_at timestamptz, ADD COLUMN complained_at timestamptz;

-- Receipts that came before the provider's id of their message was written down.
CREATE TABLE delivery_early_receipts (
  channel text NOT NULL,
  provider_id text NOT NULL,
  kind text NOT NULL,
  at timestamptz NOT NULL,
  code text NOT NULL,
  came_at timestamptz NOT NULL,
  PRIMARY KEY (channel, provider_id, kind)
);
CREATE INDEX delivery_early_receipts_by_age ON delivery_early_receipts (came_at);

-- +goose Down
DROP TABLE delivery_early_receipts;
ALTER TABLE delivery_steps DROP COLUMN bounced_at, DROP COLUMN complained_at;
