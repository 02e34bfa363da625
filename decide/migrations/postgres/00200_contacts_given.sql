-- +goose Up
-- A contact that was not made yet and gave way to a more valuable one, with what both
-- were worth then.
ALTER TABLE contact_outcomes DROP CONSTRAINT contact_outcomes_outcome_check;
ALTER TABLE contact_outcomes ADD CONSTRAINT contact_outcomes_outcome_check CHECK (outcome IN ('sent', 'released', 'planned', 'gave'));
ALTER TABLE contact_outcomes
  ADD COLUMN winner text NOT NULL DEFAULT '',
  ADD COLUMN rule text NOT NULL DEFAULT '',
  ADD COLUMN gave_at timestamptz,
  ADD COLUMN own_priority int NOT NULL DEFAULT 0,
  ADD COLUMN own_worth double precision NOT NULL DEFAULT 0,
  ADD COLUMN winner_priority int NOT NULL DEFAULT 0,
  ADD COLUMN winner_worth double precision NOT NULL DEFAULT 0;
CREATE INDEX contact_outcomes_by_winner ON contact_outcomes (winner) WHERE winner <> '';

-- +goose Down
UPDATE contact_outcomes SET outcome = 'released' WHERE outcome = 'gave';
DROP INDEX contact_outcomes_by_winner;
ALTER TABLE contact_outcomes DROP COLUMN winner, DROP COLUMN rule, DROP COLUMN gave_at, DROP COLUMN own_priority, DROP COLUMN own_worth, DROP COLUMN winner_priority, DROP COLUMN winner_worth;
ALTER TABLE contact_outcomes DROP CONSTRAINT contact_outcomes_outcome_check;
ALTER TABLE contact_outcomes ADD CONSTRAINT contact_outcomes_outcome_check CHECK (outcome IN ('sent', 'released', 'planned'));
