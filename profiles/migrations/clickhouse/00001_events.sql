-- +goose Up
-- What people did and what happened to them, one row per message. A message
-- that was sent twice may be there twice until parts merge: read with FINAL.
CREATE TABLE IF NOT EXISTS events (
  message_id String,
  type LowCardinality(String) COMMENT 'track, identify, page, screen, group or alias',
  event LowCardinality(String) COMMENT 'name of a track call, $identify, $page, … for the others',
  profile_id String COMMENT 'profile at the time of receipt',
  user_id String,
  anonymous_id String,
  timestamp DateTime64(3, 'UTC') COMMENT 'when it happened, by the server''s clock',
  received_at DateTime64(3, 'UTC'),
  decision_id String COMMENT 'properties.decisionId: the decision that this is an outcome of',
  numbers Map(LowCardinality(String), Float64) COMMENT 'numeric properties, with dots between levels',
  properties String COMMENT 'JSON object' CODEC(ZSTD(1)),
  traits String COMMENT 'JSON object, of identify and group',
  context String COMMENT 'JSON object' CODEC(ZSTD(1)),
  source LowCardinality(String) COMMENT 'API key that sent it',
  sequence UInt64 COMMENT 'position in the stream',
  item UInt32 COMMENT 'position in its call',
  INDEX by_profile_id profile_id TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_decision_id decision_id TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (event, profile_id, message_id)
SETTINGS non_replicated_deduplication_window = 1000;

-- Exposures that an application reports itself, by the name and properties of
-- the Segment specification.
-- +goose StatementBegin
CREATE MATERIALIZED VIEW IF NOT EXISTS event_exposures TO exposures AS
SELECT
  if(JSONExtractString(properties, 'experimentId') != '', JSONExtractString(properties, 'experimentId'), JSONExtractString(properties, 'experiment_id')) AS experiment,
  if(JSONExtractString(properties, 'variationId') != '', JSONExtractString(properties, 'variationId'), JSONExtractString(properties, 'variation_id')) AS variant,
  profile_id AS unit,
  timestamp AS exposed_at,
  decision_id,
  source,
  sequence
FROM events
WHERE event = 'Experiment Viewed' AND type = 'track' AND experiment != '' AND variant != '';
-- +goose StatementEnd

-- +goose Down
DROP VIEW IF EXISTS event_exposures;
DROP TABLE IF EXISTS events;
