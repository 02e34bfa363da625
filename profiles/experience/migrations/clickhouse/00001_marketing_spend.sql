-- +goose Up
-- What marketing cost, one row per day, channel, campaign and currency. The row
-- that was recorded last counts: read with FINAL.
CREATE TABLE IF NOT EXISTS marketing_spend (
  day Date,
  channel String,
  campaign String,
  currency LowCardinality(String) COMMENT 'ISO 4217',
  amount Decimal(18, 4),
  recorded_at DateTime64(3, 'UTC'),
  recorded_by String
) ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (day, channel, campaign, currency);

-- +goose Down
DROP TABLE IF EXISTS marketing_spend;
