-- +goose Up
-- Roles are definitions now. A key can be kept from personal data.
ALTER TABLE users DROP CONSTRAINT users_role_check;
ALTER TABLE api_keys ADD COLUMN masked boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE api_keys DROP COLUMN masked;
UPDATE users SET role = 'viewer' WHERE role <> 'admin';
ALTER TABLE users ADD CONSTRAINT users_role_check CHECK (role IN ('admin', 'viewer'));
