-- +goose Up
-- Every write gets the next number. Writers of a kind take turns, so within a kind
-- the numbers become visible in their order, and whoever has read up to one of them
-- finds all that is new behind it.
CREATE SEQUENCE definition_changes;
ALTER TABLE definitions ADD COLUMN change bigint NOT NULL DEFAULT nextval('definition_changes');
CREATE UNIQUE INDEX definitions_change ON definitions (kind, change);

-- +goose Down
ALTER TABLE definitions DROP COLUMN change;
DROP SEQUENCE definition_changes;
