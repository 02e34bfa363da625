-- +goose Up
-- What a profile shows of an event, in one column: each that a query names costs it
-- about as much as fifty rows of one. Rows that are there already get it when parts
-- merge, and until then when they are read.
ALTER TABLE timeline
  ADD COLUMN IF NOT EXISTS card String
  MATERIALIZED formatRowNoNewline('RowBinary', message_id, type, event, timestamp, received_at, decision_id, properties, context)
  COMMENT 'what a profile shows of the event, in RowBinary' CODEC(ZSTD(1));

-- +goose Down
ALTER TABLE timeline DROP COLUMN IF EXISTS card;
