-- +goose Up
-- A session that began with a login link may set a password without knowing the
-- one before.
ALTER TABLE sessions ADD COLUMN by_link boolean NOT NULL DEFAULT false;
CREATE INDEX sessions_user ON sessions (user_id);

-- +goose Down
DROP INDEX sessions_user;
ALTER TABLE sessions DROP COLUMN by_link;
