-- +goose Up
-- Whether people come into a scenario, and how far its triggers by date have looked.
CREATE TABLE scenario_states (
  scenario text PRIMARY KEY,
  status text NOT NULL, -- draft, running, paused, stopped
  started_at timestamptz,
  changed_at timestamptz NOT NULL,
  changed_by text NOT NULL,
  dated_day date
);
-- One person on their way through one version of a scenario. due_at is the timer.
CREATE TABLE scenario_runs (
  id text PRIMARY KEY,
  scenario text NOT NULL,
  version bigint NOT NULL,
  person text NOT NULL,
  status text NOT NULL, -- active, done, exited, expired, failed, stopped
  reason text NOT NULL DEFAULT '',
  entered_at timestamptz NOT NULL,
  entry jsonb NOT NULL,
  node text NOT NULL,
  step int NOT NULL DEFAULT 0,
  attempts int NOT NULL DEFAULT 0,
  due_at timestamptz,
  waiting_event text NOT NULL DEFAULT '',
  came boolean NOT NULL DEFAULT false,
  exits text[] NOT NULL DEFAULT '{}',
  last jsonb NOT NULL DEFAULT '{}',
  ended_at timestamptz
);
CREATE INDEX scenario_runs_due ON scenario_runs (due_at) WHERE status = 'active';
CREATE INDEX scenario_runs_by_person ON scenario_runs (person, scenario);
CREATE INDEX scenario_runs_by_scenario ON scenario_runs (scenario, entered_at);
CREATE INDEX scenario_runs_by_end ON scenario_runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX scenario_runs_versions ON scenario_runs (scenario, version) WHERE status = 'active';
-- What happened at each node that a run passed.
CREATE TABLE scenario_steps (
  run text NOT NULL REFERENCES scenario_runs (id) ON DELETE CASCADE,
  step int NOT NULL,
  node text NOT NULL,
  at timestamptz NOT NULL,
  outcome text NOT NULL,
  reason text NOT NULL DEFAULT '',
  decision_id text NOT NULL DEFAULT '',
  PRIMARY KEY (run, step)
);
-- The place in the stream of events up to which triggers were looked for.
CREATE TABLE scenario_cursor (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  sequence bigint NOT NULL
);

-- +goose Down
DROP TABLE scenario_cursor;
DROP TABLE scenario_steps;
DROP TABLE scenario_runs;
DROP TABLE scenario_states;
