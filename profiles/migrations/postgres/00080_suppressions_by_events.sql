-- +goose Up
-- Events fill the list as well: what bounces, what is reported as spam, and who
-- unsubscribes.
ALTER TABLE profile_suppressions DROP CONSTRAINT profile_suppressions_reason_check,
  ADD CONSTRAINT profile_suppressions_reason_check CHECK (reason IN ('bounce', 'complaint', 'manual', 'erasure', 'unsubscribe'));

-- +goose Down
DELETE FROM profile_suppressions WHERE reason = 'unsubscribe';
ALTER TABLE profile_suppressions DROP CONSTRAINT profile_suppressions_reason_check,
  ADD CONSTRAINT profile_suppressions_reason_check CHECK (reason IN ('bounce', 'complaint', 'manual', 'erasure'));
