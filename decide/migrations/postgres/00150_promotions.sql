-- +goose Up
CREATE TABLE policy_promotions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  decision_point text NOT NULL,
  candidate text NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  promoted_at timestamptz NOT NULL,
  from_version bigint NOT NULL,
  to_version bigint NOT NULL,
  before jsonb NOT NULL,
  after jsonb NOT NULL,
  figures jsonb NOT NULL,
  baseline double precision NOT NULL,
  baseline_error double precision NOT NULL,
  ended_at timestamptz,
  ended_by text,
  end_reason text
);
CREATE INDEX policy_promotions_by_point ON policy_promotions (decision_point, id DESC);
COMMENT ON TABLE policy_promotions IS 'candidate policies that became the policy of their decision point';
COMMENT ON COLUMN policy_promotions.figures IS 'what the gate said';
COMMENT ON COLUMN policy_promotions.baseline IS 'reward per decision before, within the hours in which the online reward is watched';
COMMENT ON COLUMN policy_promotions.ended_at IS 'when it was gone back on, or another policy came';

-- +goose Down
DROP TABLE policy_promotions;
