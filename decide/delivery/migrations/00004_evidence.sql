-- +goose Up
-- By what an address came to be used no more: the message, and what was said of it.
ALTER TABLE delivery_dead ADD COLUMN delivery text NOT NULL DEFAULT '', ADD COLUMN step int NOT NULL DEFAULT 0, ADD COLUMN evidence text NOT NULL DEFAULT '';
CREATE INDEX delivery_dead_by_channel ON delivery_dead (channel, at DESC);

-- +goose Down
DROP INDEX delivery_dead_by_channel;
ALTER TABLE delivery_dead DROP COLUMN delivery, DROP COLUMN step, DROP COLUMN evidence;
