-- +goose Up
-- The ids of the messages of the last days, by fingerprint: which of them came
-- again is asked for here.
CREATE TABLE IF NOT EXISTS message_ids (
  fingerprint UInt64 COMMENT 'XXH64 of the id',
  message_id String,
  received_at DateTime64(3, 'UTC')
) ENGINE = MergeTree
PARTITION BY toDate(received_at)
ORDER BY fingerprint
TTL toDateTime(received_at) + INTERVAL 9 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS event_message_ids TO message_ids AS
SELECT xxHash64(message_id) AS fingerprint, message_id, received_at FROM events;

INSERT INTO message_ids
SELECT xxHash64(message_id), message_id, received_at FROM events WHERE received_at > now() - INTERVAL 8 DAY;

-- +goose Down
DROP VIEW IF EXISTS event_message_ids;
DROP TABLE IF EXISTS message_ids;
