-- +goose Up
-- Exposures say when they became known. Events that belong to nobody expose
-- nobody.
-- +goose StatementBegin
ALTER TABLE event_exposures MODIFY QUERY
SELECT
  if(JSONExtractString(properties, 'experimentId') != '', JSONExtractString(properties, 'experimentId'), JSONExtractString(properties, 'experiment_id')) AS experiment,
  if(JSONExtractString(properties, 'variationId') != '', JSONExtractString(properties, 'variationId'), JSONExtractString(properties, 'variation_id')) AS variant,
  profile_id AS unit,
  timestamp AS exposed_at,
  received_at,
  decision_id,
  source,
  sequence
FROM events
WHERE event = 'Experiment Viewed' AND type = 'track' AND experiment != '' AND variant != '' AND profile_id != '';
-- +goose StatementEnd

-- +goose Down
SELECT 1;
