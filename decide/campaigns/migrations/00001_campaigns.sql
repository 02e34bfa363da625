-- +goose Up
-- Whether a campaign runs, and when it is due next.
CREATE TABLE campaign_states (
  campaign text PRIMARY KEY,
  status text NOT NULL,
  started_at timestamptz,
  next_at timestamptz,
  changed_at timestamptz NOT NULL,
  changed_by text NOT NULL
);
-- One going through the audience. What it decides by is the version of the campaign
-- at the moment when it was due.
CREATE TABLE campaign_runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  campaign text NOT NULL,
  occurrence timestamptz NOT NULL,
  version bigint NOT NULL,
  status text NOT NULL, -- freezing, running, done, stopped
  audience bigint NOT NULL DEFAULT 0,
  counts jsonb NOT NULL DEFAULT '{}',
  cost double precision NOT NULL DEFAULT 0,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  UNIQUE (campaign, occurrence)
);
CREATE INDEX campaign_runs_open ON campaign_runs (id) WHERE finished_at IS NULL;
-- The audience of a run as it was, with what became of each person.
CREATE TABLE campaign_recipients (
  run bigint NOT NULL REFERENCES campaign_runs (id) ON DELETE CASCADE,
  person text NOT NULL,
  outcome text NOT NULL DEFAULT 'waiting',
  reason text NOT NULL DEFAULT '',
  attempts int NOT NULL DEFAULT 0,
  retry_at timestamptz,
  decision_id text NOT NULL DEFAULT '',
  action text NOT NULL DEFAULT '',
  send_at timestamptz,
  decided_at timestamptz,
  PRIMARY KEY (run, person)
);
CREATE INDEX campaign_recipients_waiting ON campaign_recipients (run, person) WHERE outcome = 'waiting';
CREATE INDEX campaign_recipients_by_person ON campaign_recipients (person);

-- +goose Down
DROP TABLE campaign_recipients;
DROP TABLE campaign_runs;
DROP TABLE campaign_states;
