-- +goose Up
-- What became of the contact that a decision reserved, when that is not as it was
-- planned: it was made at another moment, or will not be made.
CREATE TABLE contact_outcomes (
  decision_id text PRIMARY KEY,
  outcome text NOT NULL CHECK (outcome IN ('sent', 'released')),
  at timestamptz NOT NULL,
  change bigserial NOT NULL
);
CREATE INDEX contact_outcomes_by_change ON contact_outcomes (change);
CREATE INDEX contact_outcomes_by_time ON contact_outcomes (at);

-- +goose Down
DROP TABLE contact_outcomes;
