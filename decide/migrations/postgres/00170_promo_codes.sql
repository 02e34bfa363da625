-- +goose Up
-- Codes of pools. A decision has one code of a pool at most, and a code one decision.
CREATE TABLE promo_codes (
  id bigserial PRIMARY KEY,
  pool text NOT NULL,
  code text NOT NULL,
  decision_id text,
  taken_at timestamptz,
  UNIQUE (pool, code)
);
CREATE UNIQUE INDEX promo_codes_by_decision ON promo_codes (pool, decision_id) WHERE decision_id IS NOT NULL;
CREATE INDEX promo_codes_free ON promo_codes (pool, id) WHERE decision_id IS NULL;

-- +goose Down
DROP TABLE promo_codes;
