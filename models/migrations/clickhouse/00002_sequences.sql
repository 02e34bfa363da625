-- +goose Up
-- What has come since a sequence is asked for every second where a model follows the
-- stream; parts that were stored before it are passed over.
ALTER TABLE decisions ADD INDEX IF NOT EXISTS by_sequence sequence TYPE minmax GRANULARITY 1;
ALTER TABLE events ADD INDEX IF NOT EXISTS by_sequence sequence TYPE minmax GRANULARITY 1;
ALTER TABLE decisions MATERIALIZE INDEX by_sequence;
ALTER TABLE events MATERIALIZE INDEX by_sequence;

-- +goose Down
ALTER TABLE decisions DROP INDEX IF EXISTS by_sequence;
ALTER TABLE events DROP INDEX IF EXISTS by_sequence;
