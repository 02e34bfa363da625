-- +goose Up
-- Whom an erasure is about at this moment. In memory alone: the text of a
-- mutation stays on the disk, so that it must not name anybody.
CREATE TABLE IF NOT EXISTS erasing (
  id String COMMENT 'profile',
  replacement String COMMENT 'random id under which results stay; empty without',
  salt String COMMENT 'random; makes ids of the messages that stay'
) ENGINE = Join(ANY, LEFT, id)
SETTINGS persistent = 0;

-- +goose Down
DROP TABLE IF EXISTS erasing;
