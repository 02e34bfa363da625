-- +goose Up
-- Whom a profile belongs to from a moment on: one row for each time that this
-- changes. A profile without a row is a person of its own. As of a moment T,
-- argMax(person_id, (valid_from, stamp)) of the rows with valid_from <= T.
CREATE TABLE IF NOT EXISTS person_map (
  profile_id String,
  person_id String,
  valid_from DateTime64(3, 'UTC'),
  stamp UInt64 COMMENT 'place in the log of identity'
) ENGINE = ReplacingMergeTree
ORDER BY (profile_id, valid_from, stamp)
SETTINGS non_replicated_deduplication_window = 1000;

-- When an exposure became known: a report as of a past moment counts what was
-- known then.
ALTER TABLE exposures ADD COLUMN IF NOT EXISTS received_at DateTime64(3, 'UTC') DEFAULT exposed_at AFTER exposed_at;

-- +goose Down
ALTER TABLE exposures DROP COLUMN IF EXISTS received_at;
DROP TABLE IF EXISTS person_map;
