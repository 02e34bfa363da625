-- +goose Up
-- Records of one message of the stream are items of their own.
CREATE OR REPLACE VIEW quarantine_items AS
SELECT id, received_at, source, cause, form, kind, message_id, field, rule, errors, body, shared, truncated, trusted, status, attempts, settled_at, settled_by
FROM quarantine
UNION ALL
SELECT 'record-' || topic || '-' || reader || '-' || sequence || '-' || encode(digest, 'hex'), rejected_at, 'stream:' || topic, 'record', 'record', reader, '', '', left(reason, 500), '[]',
  substring(payload FOR 32768), '', octet_length(payload) > 32768, false, 'open', 0, NULL::timestamptz, ''
FROM rejected_records;

-- +goose Down
SELECT 1;
