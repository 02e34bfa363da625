-- +goose Up
-- One row per person, written from memory about a second after a change: what
-- rules of segments read. Read with FINAL: people who were merged into others
-- are deleted rows.
CREATE TABLE IF NOT EXISTS people (
  person_id String,
  created_at DateTime64(3, 'UTC') COMMENT 'time of the first thing known of the person',
  updated_at DateTime64(3, 'UTC') COMMENT 'when identifiers or traits last changed',
  last_seen_at DateTime64(3, 'UTC'),
  event_count UInt64,
  identifiers Map(LowCardinality(String), Array(String)) COMMENT 'values by namespace',
  consents Array(Tuple(purpose String, channel String, status String)),
  trait_names Array(LowCardinality(String)) COMMENT 'of all traits that are not null',
  trait_texts Map(LowCardinality(String), String),
  trait_numbers Map(LowCardinality(String), Float64),
  trait_flags Map(LowCardinality(String), Bool),
  trait_dates Map(LowCardinality(String), DateTime64(3, 'UTC')) COMMENT 'of the texts that are dates',
  trait_lists Map(LowCardinality(String), Array(String)) COMMENT 'elements, with t for text, n for number and b for boolean in front',
  attribute_names Array(LowCardinality(String)),
  attribute_texts Map(LowCardinality(String), String),
  attribute_numbers Map(LowCardinality(String), Float64),
  attribute_flags Map(LowCardinality(String), Bool),
  attribute_dates Map(LowCardinality(String), DateTime64(3, 'UTC')),
  attribute_lists Map(LowCardinality(String), Array(String)),
  version UInt64 COMMENT 'the highest counts',
  deleted UInt8
) ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY person_id;

-- Changes of membership in segments: of dynamic ones by the events that tell of
-- them, of new rules and lists by the service itself. The last row of a person
-- says whether they are in.
CREATE TABLE IF NOT EXISTS segment_membership (
  segment LowCardinality(String),
  person_id String COMMENT 'the person at that time',
  entered UInt8 COMMENT '1 entered, 0 left',
  at DateTime64(3, 'UTC'),
  reason LowCardinality(String) COMMENT 'change: something happened; rule: the rule is new; list: by hand; merged: the person became part of another; deleted: the segment was',
  sequence UInt64 COMMENT 'position in the stream',
  position UInt32 COMMENT 'position in its record'
) ENGINE = ReplacingMergeTree
ORDER BY (segment, person_id, at, sequence, position)
SETTINGS non_replicated_deduplication_window = 1000;

-- Only the service itself may tell who is in a segment.
-- +goose StatementBegin
CREATE MATERIALIZED VIEW IF NOT EXISTS event_segment_membership TO segment_membership AS
SELECT
  JSONExtractString(properties, 'segment') AS segment,
  profile_id AS person_id,
  toUInt8(event = 'Segment Entered') AS entered,
  timestamp AS at,
  JSONExtractString(properties, 'reason') AS reason,
  sequence,
  item AS position
FROM events
WHERE event IN ('Segment Entered', 'Segment Left') AND type = 'track' AND source = 'system' AND segment != '';
-- +goose StatementEnd

-- +goose Down
DROP VIEW IF EXISTS event_segment_membership;
DROP TABLE IF EXISTS segment_membership;
DROP TABLE IF EXISTS people;
