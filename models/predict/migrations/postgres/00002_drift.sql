-- +goose Up
-- What a run of scoring found of features that are distributed otherwise than in training.
ALTER TABLE prediction_jobs ADD COLUMN drift jsonb NOT NULL DEFAULT '[]';
-- +goose Down
ALTER TABLE prediction_jobs DROP COLUMN drift;
