-- +goose Up
-- Beside the golden record (traits): who said it, and the facts of traits that are
-- of another origin or moment than the rest. A fact is {"n": name, "v": value,
-- "t": moment, "s": source, "c": confidence in thousandths or -1}; of one name the
-- chosen fact comes first. A moment is Unix milliseconds * 4096 + place in the call.
ALTER TABLE profiles
  ADD COLUMN traits_moment bigint NOT NULL DEFAULT 0,
  ADD COLUMN traits_source text NOT NULL DEFAULT '',
  ADD COLUMN traits_confidence smallint NOT NULL DEFAULT -1,
  ADD COLUMN facts jsonb;

UPDATE profiles SET
  traits_moment = (extract(epoch FROM traits_at) * 1000)::bigint << 12,
  facts = (
    SELECT jsonb_agg(jsonb_build_object('n', t.key, 'v', traits -> t.key, 't', t.value::bigint << 12, 's', '', 'c', -1) ORDER BY t.key COLLATE "C")
    FROM jsonb_each_text(trait_times) t WHERE traits ? t.key);

ALTER TABLE profiles DROP COLUMN trait_times, DROP COLUMN traits_at;

-- +goose Down
ALTER TABLE profiles ADD COLUMN traits_at timestamptz, ADD COLUMN trait_times jsonb;
UPDATE profiles SET
  traits_at = to_timestamp((traits_moment >> 12) / 1000.0),
  trait_times = (SELECT jsonb_object_agg(f ->> 'n', (f ->> 't')::bigint >> 12) FROM jsonb_array_elements(facts) f);
ALTER TABLE profiles ALTER COLUMN traits_at SET NOT NULL;
ALTER TABLE profiles DROP COLUMN facts, DROP COLUMN traits_confidence, DROP COLUMN traits_source, DROP COLUMN traits_moment;
