-- +goose Up
-- Every ranker that was learned, also those that the gate refused: the newest decides.
CREATE TABLE recommend_rankers (
  version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  learned_at timestamptz NOT NULL,
  accepted boolean NOT NULL,
  report jsonb NOT NULL,
  artefact bytea
);
COMMENT ON COLUMN recommend_rankers.accepted IS 'it was better than retrieval and than what is popular on a later time, and ranks lists';
COMMENT ON COLUMN recommend_rankers.artefact IS 'absent where there was too little to learn from';

-- +goose Down
DROP TABLE recommend_rankers;
