-- +goose Up
-- Which version of a segment the membership in ClickHouse belongs to. A
-- segment without a row, or of another version, has its members worked out
-- anew, without an event for each of them.
CREATE TABLE segment_states (
  segment text COLLATE "C" PRIMARY KEY,
  version bigint NOT NULL,
  members bigint NOT NULL,
  ready_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE segment_states;
