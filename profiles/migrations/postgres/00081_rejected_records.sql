-- +goose Up
-- One message of the stream may carry several records: each that cannot be read is kept.
ALTER TABLE rejected_records ADD COLUMN digest bytea NOT NULL DEFAULT '';
UPDATE rejected_records SET digest = substring(sha256(payload) FOR 16);
ALTER TABLE rejected_records DROP CONSTRAINT rejected_records_pkey, ADD PRIMARY KEY (topic, reader, sequence, digest);

-- +goose Down
DELETE FROM rejected_records r USING rejected_records s
WHERE (r.topic, r.reader, r.sequence) = (s.topic, s.reader, s.sequence) AND r.digest > s.digest;
ALTER TABLE rejected_records DROP CONSTRAINT rejected_records_pkey, ADD PRIMARY KEY (topic, reader, sequence), DROP COLUMN digest;
