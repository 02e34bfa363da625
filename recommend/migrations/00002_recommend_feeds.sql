-- +goose Up
-- What became of each time that a feed was read. The latest of each feed are kept.
CREATE TABLE recommend_feed_runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  feed text NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  succeeded boolean NOT NULL,
  validator text NOT NULL,
  report jsonb NOT NULL
);
CREATE INDEX ON recommend_feed_runs (feed, id DESC);
COMMENT ON COLUMN recommend_feed_runs.succeeded IS 'the feed was read to its end, or had not changed since the run before';
COMMENT ON COLUMN recommend_feed_runs.validator IS 'ETag or Last-Modified of what was read, with the version of the definition, to ask whether it changed';

-- +goose Down
DROP TABLE recommend_feed_runs;
