package profiles

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"quintet/internal/enginetest"
	"quintet/profiles/consents"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
	"quintet/profiles/traits"
)

// Whatever the order in which messages arrive, and whether a restart lies between,
// a profile comes to the same traits, the same lineage and the same consents.
func TestProfilesDoNotDependOnTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	rules := traits.Compile(map[string]traits.Declaration{
		"age": {Type: traits.Number, Survivorship: traits.Recent}, "city": {Type: traits.Text, Survivorship: traits.Trusted, Sources: []string{"crm", "user"}},
		"name": {Type: traits.Text, Survivorship: traits.Complete}, "plan": {Type: traits.Text, Survivorship: traits.Confidence},
	}, nil)
	id := identity.NewID(Identifier{Namespace: identity.UserID, Value: "u"})
	type message struct {
		source string
		item   item
	}
	draw := rapid.Custom(func(t *rapid.T) message {
		pick := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
		m := message{pick("source", "crm", "site", "import", "user:7"), item{
			profile: id, kind: tracking.Identify, time: rapid.Int64Range(1, 8).Draw(t, "time") * 60_000, index: uint32(rapid.IntRange(0, 3).Draw(t, "index")),
		}}
		switch pick("kind", "traits", "traits", "consent", "banner") {
		case "traits":
			values := map[string]any{}
			for _, name := range []string{"age", "city", "name", "first_name", "plan", "other"} {
				if rapid.Bool().Draw(t, "has "+name) {
					values[name] = rapid.SampledFrom([]any{"a", "long text", 7.0, "7", nil, true, []any{"x"}}).Draw(t, name)
				}
			}
			text, err := json.Marshal(values)
			if err != nil {
				t.Fatal(err)
			}
			m.item.traits, m.item.context = string(text), pick("context", "", `{"confidence":0.9}`, `{"confidence":0.1}`, `{"confidence":"x"}`)
		case "consent":
			m.item.kind, m.item.event = tracking.Track, pick("event", consents.EventGiven, consents.EventWithdrawn, consents.EventUnsubscribed)
			m.item.properties = fmt.Sprintf(`{"purpose":%q,"channel":%q}`, pick("purpose", "marketing", "analytics"), pick("channel", "email", "sms"))
		case "banner":
			m.item.context = fmt.Sprintf(`{"consent":{"categoryPreferences":{"marketing":%v}}}`, rapid.Bool().Draw(t, "accepted"))
		}
		return m
	})
	rapid.Check(t, func(t *rapid.T) {
		messages := rapid.SliceOfN(draw, 1, 15).Draw(t, "messages")
		run := func(messages []message, restart int) *state {
			store, names, c := newStore(), newInterner(), &changes{}
			store.rules.Store(rules)
			for i := range messages {
				if st := store.shard(id).people[id]; i == restart && st != nil {
					st.record = saved(t, st.record)
					st.record.Rechoose(rules)
				}
				store.apply(&recordHeader{received: 1_000_000, stamp: 1, source: messages[i].source}, &messages[i].item, names, c)
			}
			return store.shard(id).people[id]
		}
		one := run(messages, -1)
		other := run(rapid.Permutation(messages).Draw(t, "order"), rapid.IntRange(-1, len(messages)-1).Draw(t, "restart"))
		if a, b := orEmpty(one.record.Golden()), orEmpty(other.record.Golden()); !reflect.DeepEqual(a, b) {
			t.Fatalf("traits %v, in another order %v", a, b)
		}
		if a, b := one.record.Lineage(rules), other.record.Lineage(rules); !reflect.DeepEqual(a, b) {
			t.Fatalf("lineage\n%v, in another order\n%v", a, b)
		}
		if !reflect.DeepEqual(one.stated(), other.stated()) {
			t.Fatalf("consents %v, in another order %v", one.stated(), other.stated())
		}
	})
}

// saved is a record as Postgres gives it back.
func saved(t *rapid.T, r traits.Record) traits.Record {
	golden, err := json.Marshal(orEmpty(r.Golden()))
	if err != nil {
		t.Fatal(err)
	}
	facts, err := encodeFacts(r.Listed())
	if err != nil {
		t.Fatal(err)
	}
	names := newInterner()
	at, origin := r.Shared()
	back, err := names.record(string(golden), at, names.origin(origin.Source, origin.Confidence), facts)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// What the version before kept of times becomes facts.
func TestTimesOfTraitsBecomeFacts(t *testing.T) {
	t.Parallel()
	pool := enginetest.Postgres(t)
	up := func(name string) {
		text, err := migrationFiles.ReadFile("migrations/postgres/" + name)
		if err != nil {
			t.Fatal(err)
		}
		sql, _, _ := strings.Cut(string(text), "-- +goose Down")
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	up("00001_profiles.sql")
	id := identity.NewID(Identifier{Namespace: identity.UserID, Value: "u"}).String()
	if _, err := pool.Exec(t.Context(), `INSERT INTO profiles VALUES ($1, now(), now(), now(), 3, '{"city":"Berlin","first_name":"Bo","plan":"gold"}',
		to_timestamp(1700000000.123), '{"city":1700000000500,"first_name":1700000000123,"plan":1700000000123}')`, id); err != nil {
		t.Fatal(err)
	}
	up("00020_trait_facts.sql")
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // a read needs no commit
	store := newStore()
	if err := store.loadCards(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	parsed, _ := identity.ParseID(id)
	view, _ := store.Get(parsed)
	if want := map[string]any{"city": "Berlin", "firstName": "Bo", "plan": "gold"}; !reflect.DeepEqual(view.Traits, want) {
		t.Errorf("traits %v, want %v", view.Traits, want)
	}
	record := store.shard(parsed).people[parsed].record
	for _, e := range record.Lineage(nil) {
		want := int64(1700000000123)
		if e.Name == "city" {
			want = 1700000000500
		}
		if e.At.Milliseconds() != want || e.Origin.Source != "" || !e.Chosen {
			t.Errorf("%+v at %d, want %d", e, e.At.Milliseconds(), want)
		}
	}
}

// The memory of a profile of which two sources tell everything is reported.
func TestMemoryOfAProfileOfTwoSources(t *testing.T) {
	const people = 20_000
	for _, sources := range [][]string{{"site"}, {"site", "crm"}} {
		before := heapBytes()
		store, names, c := newStore(), newInterner(), &changes{}
		for i := range people {
			user := fmt.Sprintf("user-%d", i)
			id := identity.NewID(Identifier{Namespace: identity.UserID, Value: user})
			for at, source := range sources {
				store.apply(&recordHeader{received: 5000, stamp: 1, source: source}, &item{
					profile: id, kind: tracking.Identify, time: int64(at + 1), flags: flagUser, userID: user,
					traits: fmt.Sprintf(`{"email":"user-%d@example.org","name":"Person %d","age":%d,"city":"Berlin","plan":"pro","loyalty":"gold","orders":%d,"newsletter":true}`, i, i, i%80, i%7),
				}, names, c)
			}
		}
		*c = changes{}
		each := (heapBytes() - before) / people
		t.Logf("%d bytes per profile of %d sources", each, len(sources))
		if each > 3000*uint64(len(sources)) || store.Len() != people {
			t.Errorf("%d bytes per profile of %d", each, store.Len())
		}
	}
}
