-- +goose Up
-- The events once more, in the order of the people: what one person did is read
-- from one place, where the table of events has it in as many as there are names
-- of events and months. One message may be there twice, as in events. Parts are
-- compact, so that a part is one file to open instead of two for each column.
CREATE TABLE IF NOT EXISTS timeline (
  profile_id String COMMENT 'profile at the time of receipt',
  timestamp DateTime64(3, 'UTC'),
  event LowCardinality(String),
  message_id String,
  type LowCardinality(String),
  user_id String,
  anonymous_id String,
  received_at DateTime64(3, 'UTC'),
  decision_id String,
  properties String CODEC(ZSTD(1)),
  traits String CODEC(ZSTD(1)),
  context String CODEC(ZSTD(1)),
  source LowCardinality(String),
  sequence UInt64,
  item UInt32
) ENGINE = ReplacingMergeTree
PARTITION BY toYear(timestamp)
PRIMARY KEY (profile_id, timestamp)
ORDER BY (profile_id, timestamp, event, message_id)
SETTINGS index_granularity = 256, min_bytes_for_wide_part = 1000000000000, non_replicated_deduplication_window = 1000;

-- +goose StatementBegin
CREATE MATERIALIZED VIEW IF NOT EXISTS event_timeline TO timeline AS
SELECT profile_id, timestamp, event, message_id, type, user_id, anonymous_id, received_at, decision_id, properties, traits, context, source, sequence, item
FROM events
WHERE profile_id != '';
-- +goose StatementEnd

-- What there was before. The view is there already, so that nothing is left out,
-- and a second time adds only rows that merge with those of the first.
INSERT INTO timeline (profile_id, timestamp, event, message_id, type, user_id, anonymous_id, received_at, decision_id, properties, traits, context, source, sequence, item)
SELECT profile_id, timestamp, event, message_id, type, user_id, anonymous_id, received_at, decision_id, properties, traits, context, source, sequence, item
FROM events
WHERE profile_id != ''
SETTINGS max_partitions_per_insert_block = 0, max_insert_threads = 1;

-- +goose Down
DROP VIEW IF EXISTS event_timeline;
DROP TABLE IF EXISTS timeline;
