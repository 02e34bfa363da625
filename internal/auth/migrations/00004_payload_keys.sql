-- +goose Up
-- Clients load flags by a key in the path, and some have them encrypted.
ALTER TABLE api_keys ADD COLUMN payload_key text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE api_keys DROP COLUMN payload_key;
