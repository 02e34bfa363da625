-- +goose Up
-- Where a step was sent to, by a keyed hash: what comes back late is of that address,
-- whatever the person's is by then.
ALTER TABLE delivery_steps ADD COLUMN address bytea;

-- +goose Down
ALTER TABLE delivery_steps DROP COLUMN address;
