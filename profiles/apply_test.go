package profiles

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"quintet/profiles/identity"
	"quintet/profiles/tracking"
	"quintet/profiles/traits"
)

// Whatever the order in which messages arrive, a trait has the value with the
// latest time.
func TestTraitsAreLastWriteByTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type write struct {
			time   int64
			traits map[string]any
		}
		writes := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) write {
			names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 4, rapid.ID).Draw(t, "names")
			w := write{time: rapid.Int64Range(1, 1000).Draw(t, "time"), traits: map[string]any{}}
			for _, n := range names {
				w.traits[n] = rapid.SampledFrom([]any{1.0, 2.0, "x", nil, true, []any{1.0}, map[string]any{"k": "v"}}).Draw(t, n)
			}
			return w
		}), 1, 12, func(w write) int64 { return w.time }).Draw(t, "writes")
		want := map[string]any{}
		at := map[string]int64{}
		for _, w := range writes {
			for name, value := range w.traits {
				if w.time >= at[name] {
					want[name], at[name] = value, w.time
				}
			}
		}
		store, names, c := newStore(), newInterner(), &changes{}
		id := identity.NewID(Identifier{Namespace: identity.UserID, Value: "u"})
		h := &recordHeader{received: 5000, stamp: 1}
		for _, w := range writes {
			text, err := json.Marshal(w.traits)
			if err != nil {
				t.Fatal(err)
			}
			store.apply(h, &item{profile: id, kind: tracking.Identify, time: w.time, flags: flagUser, userID: "u", traits: string(text)}, names, c)
		}
		view, ok := store.Get(id)
		if !ok || !reflect.DeepEqual(orEmpty(view.Traits), want) {
			t.Fatalf("traits %v, want %v", view.Traits, want)
		}
		for _, e := range store.shard(id).people[id].record.Lineage(nil) {
			if e.At.Milliseconds() != at[e.Name] {
				t.Fatalf("trait %s is of %d, want %d", e.Name, e.At.Milliseconds(), at[e.Name])
			}
		}
		if view.Events != uint64(len(writes)) {
			t.Fatalf("%d events", view.Events)
		}
	})
}

func TestStateIsBounded(t *testing.T) {
	t.Parallel()
	store, names, c := newStore(), newInterner(), &changes{}
	id := identity.NewID(Identifier{Namespace: identity.UserID, Value: "u"})
	h := &recordHeader{received: 5000, stamp: 1}
	identify := func(time int64, text string) {
		store.apply(h, &item{profile: id, kind: tracking.Identify, time: time, traits: text}, names, c)
	}
	for i := range int64(400) {
		identify(i+1, fmt.Sprintf(`{"t%d":1}`, i))
	}
	view, _ := store.Get(id)
	if len(view.Traits) != traits.MaxTraits || c.refused != 100 {
		t.Errorf("%d traits, %d refused", len(view.Traits), c.refused)
	}
	large, err := json.Marshal(fmt.Sprintf("%030000d", 1))
	if err != nil {
		t.Fatal(err)
	}
	c.refused = 0
	for i := range int64(4) {
		identify(1000+i, fmt.Sprintf(`{"t%d":%s}`, i, large))
	}
	if view, _ = store.Get(id); c.refused != 2 {
		t.Errorf("%d of four values of 30 kB were refused", c.refused)
	}
	text, err := json.Marshal(view.Traits)
	if err != nil || len(text) > traits.MaxBytes {
		t.Errorf("%d bytes of traits, %v", len(text), err)
	}
	identify(2000, `{"t0":"short"}`)
	if view, _ = store.Get(id); view.Traits["t0"] != "short" {
		t.Error("a large value cannot be replaced by a short one")
	}
}

// The memory of a profile with a user id, an anonymous id, an address and eight
// traits is reported, and bounded loosely.
func TestMemoryOfAProfile(t *testing.T) {
	const people = 50_000
	before := heapBytes()
	store, names, c := newStore(), newInterner(), &changes{}
	for i := range people {
		user, anonymous, mail := fmt.Sprintf("user-%d", i), fmt.Sprintf("5f0c7c1e-7d0b-4f7e-8f52-%012d", i), fmt.Sprintf("user-%d@example.org", i)
		id := identity.NewID(Identifier{Namespace: identity.UserID, Value: user})
		store.apply(&recordHeader{received: 5000, stamp: 1}, &item{
			profile: id, kind: tracking.Identify, time: 1, flags: flagUser | flagAnonymous, userID: user, anonymousID: anonymous,
			links:  []identity.Identifier{{Namespace: identity.Email, Value: mail}},
			traits: fmt.Sprintf(`{"email":%q,"name":"Person %d","age":%d,"city":"Berlin","plan":"pro","loyalty":"gold","orders":%d,"newsletter":true}`, mail, i, i%80, i%7),
		}, names, c)
	}
	*c = changes{}
	each := (heapBytes() - before) / people
	t.Logf("%d bytes per profile", each)
	if each > 3000 || store.Len() != people {
		t.Errorf("%d bytes per profile of %d", each, store.Len())
	}
	runtime.KeepAlive(store)
}

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkApply(b *testing.B) {
	store, names, c := newStore(), newInterner(), &changes{}
	items := make([]item, 10_000)
	for i := range items {
		user := fmt.Sprintf("user-%d", i)
		items[i] = item{profile: identity.NewID(Identifier{Namespace: identity.UserID, Value: user}), kind: tracking.Track, time: 1, flags: flagUser, userID: user}
	}
	h := &recordHeader{received: 5000, stamp: 1}
	i := 0
	for b.Loop() {
		store.apply(h, &items[i%len(items)], names, c)
		i++
	}
}
