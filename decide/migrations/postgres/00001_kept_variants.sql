-- +goose Up
-- The variant that a unit of a sticky experiment got first.
CREATE TABLE kept_variants (
  experiment text NOT NULL,
  unit text NOT NULL,
  variant text NOT NULL,
  bucket_version int NOT NULL,
  kept_at timestamptz NOT NULL,
  change bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (experiment, unit)
);
CREATE SEQUENCE kept_variants_change OWNED BY kept_variants.change;
ALTER TABLE kept_variants ALTER COLUMN change SET DEFAULT nextval('kept_variants_change');
CREATE INDEX kept_variants_by_change ON kept_variants (change);
CREATE INDEX kept_variants_by_unit ON kept_variants (unit);

-- +goose Down
DROP TABLE kept_variants;
