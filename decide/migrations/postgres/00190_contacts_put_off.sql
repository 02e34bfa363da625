-- +goose Up
-- A contact that was counted as made, was not, and is planned for a later moment.
ALTER TABLE contact_outcomes DROP CONSTRAINT contact_outcomes_outcome_check;
ALTER TABLE contact_outcomes ADD CONSTRAINT contact_outcomes_outcome_check CHECK (outcome IN ('sent', 'released', 'planned'));

-- +goose Down
UPDATE contact_outcomes SET outcome = 'sent' WHERE outcome = 'planned';
ALTER TABLE contact_outcomes DROP CONSTRAINT contact_outcomes_outcome_check;
ALTER TABLE contact_outcomes ADD CONSTRAINT contact_outcomes_outcome_check CHECK (outcome IN ('sent', 'released'));
