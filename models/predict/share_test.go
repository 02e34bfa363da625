package predict

import (
	"maps"
	"time"
)

// everybody scores as of a moment, and gives what was written of each person.
func (b *bed) everybody(key string, at time.Time) map[string]string {
	b.t.Helper()
	b.clock = at
	if _, err := b.Score(b.t.Context(), key); err != nil {
		b.t.Fatal(err)
	}
	rows, err := b.clickhouse.Read.Query(b.t.Context(), "SELECT person_id, attributes FROM person_scores FINAL WHERE model = ?", key)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var who, attributes string
		if err := rows.Scan(&who, &attributes); err != nil {
			b.t.Fatal(err)
		}
		out[who] = attributes
	}
	if err := rows.Err(); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// scoresInShares checks that everybody is scored, and alike, when that is done in several
// parts and the model may learn from few.
func (b *bed) scoresInShares(key string) {
	b.t.Helper()
	at := b.clock
	whole := b.everybody(key, at)
	spec, version, err := b.spec(key)
	if err != nil {
		b.t.Fatal(err)
	}
	before := spec
	spec.MaxRows = 100
	if _, err := b.specs.Put(b.t.Context(), key, spec, "test", version); err != nil {
		b.t.Fatal(err)
	}
	b.atOnce = 1
	all, err := b.shares(b.t.Context(), &spec)
	if err != nil {
		b.t.Fatal(err)
	}
	b.atOnce = all / 3
	if n, err := b.shares(b.t.Context(), &spec); err != nil || n < 3 || n > 5 {
		b.t.Fatalf("%d shares: %v", n, err)
	}
	if parts := b.everybody(key, at); len(whole) <= 100 || !maps.Equal(whole, parts) {
		b.t.Errorf("%s: %d people are scored at once, %d in shares, or otherwise", key, len(whole), len(parts))
	}
	b.atOnce = scoredAtOnce
	if _, err := b.specs.Put(b.t.Context(), key, before, "test", version+1); err != nil {
		b.t.Fatal(err)
	}
}
