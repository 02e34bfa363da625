-- +goose Up
-- Rows of one unit come together within the hour whatever the sizes of parts:
-- readers that find one part have nothing to bring together themselves.
ALTER TABLE first_exposures MODIFY SETTING min_age_to_force_merge_seconds = 1800;

-- +goose Down
ALTER TABLE first_exposures RESET SETTING min_age_to_force_merge_seconds;
