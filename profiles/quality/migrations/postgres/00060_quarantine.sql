-- +goose Up
-- Messages that were refused, until they are replayed, discarded or too old. What
-- they hold is removed when they are settled.
CREATE TABLE quarantine (
  id text COLLATE "C" PRIMARY KEY,
  received_at timestamptz NOT NULL,
  source text NOT NULL,
  cause text NOT NULL CHECK (cause IN ('rule', 'schema', 'mapping')),
  form text NOT NULL,
  kind text NOT NULL,
  message_id text NOT NULL,
  field text NOT NULL, -- of the first rule
  rule text NOT NULL,
  errors text NOT NULL, -- JSON
  body bytea NOT NULL,
  shared bytea NOT NULL,
  truncated boolean NOT NULL,
  trusted boolean NOT NULL,
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'replaying', 'replayed', 'discarded')),
  attempts integer NOT NULL DEFAULT 0,
  claimed_at timestamptz,
  settled_at timestamptz,
  settled_by text NOT NULL DEFAULT ''
);

CREATE INDEX quarantine_received ON quarantine (received_at, id);
CREATE INDEX quarantine_source ON quarantine (source, received_at);

-- Records of the stream that a reader could not decode stand beside them.
CREATE VIEW quarantine_items AS
SELECT id, received_at, source, cause, form, kind, message_id, field, rule, errors, body, shared, truncated, trusted, status, attempts, settled_at, settled_by
FROM quarantine
UNION ALL
SELECT 'record-' || topic || '-' || reader || '-' || sequence, rejected_at, 'stream:' || topic, 'record', 'record', reader, '', '', left(reason, 500), '[]',
  substring(payload FOR 32768), '', octet_length(payload) > 32768, false, 'open', 0, NULL::timestamptz, ''
FROM rejected_records;

-- +goose Down
DROP VIEW quarantine_items;
DROP TABLE quarantine;
