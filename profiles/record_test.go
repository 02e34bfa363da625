package profiles

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

func drawItem(t *rapid.T) item {
	text := rapid.StringN(0, 40, 200)
	it := item{
		kind:  tracking.Type(rapid.IntRange(1, 6).Draw(t, "kind")),
		flags: rapid.Byte().Draw(t, "flags"), time: rapid.Int64Range(-1<<50, 1<<50).Draw(t, "time"),
		index: rapid.Uint32().Draw(t, "index"), messageID: text.Draw(t, "messageID"), userID: text.Draw(t, "userID"),
		anonymousID: text.Draw(t, "anonymousID"), event: text.Draw(t, "event"), decisionID: text.Draw(t, "decisionID"),
		properties: text.Draw(t, "properties"), traits: text.Draw(t, "traits"), context: text.Draw(t, "context"),
	}
	copy(it.profile[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "profile"))
	for range rapid.IntRange(0, 3).Draw(t, "links") {
		it.links = append(it.links, identity.Identifier{Namespace: text.Draw(t, "namespace"), Value: text.Draw(t, "value")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "numbers") {
		it.numbers = append(it.numbers, tracking.Number{Path: text.Draw(t, "path"), Value: rapid.Float64().Draw(t, "value")})
	}
	return it
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := recordHeader{version: recordVersion, received: rapid.Int64Range(-1<<50, 1<<50).Draw(t, "received"), stamp: rapid.Int64().Draw(t, "stamp"), source: rapid.String().Draw(t, "source")}
		items := rapid.SliceOfN(rapid.Custom(drawItem), 0, 5).Draw(t, "items")
		var e encoder
		e.begin(h)
		for i := range items {
			e.add(&items[i])
		}
		told := rapid.SliceOfN(rapid.Custom(drawEntry), 0, 4).Draw(t, "entries")
		for i := range told {
			told[i].Stamp = h.stamp
		}
		e.tell(told)
		whole := e.bytes()
		var got recordHeader
		d, err := decodeRecord(whole, &got)
		if err != nil {
			t.Fatal(err)
		}
		h.items = len(items)
		if got != h {
			t.Fatalf("header %+v, want %+v", got, h)
		}
		for i := range items {
			var it item
			if err := d.next(&got, &it); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(it, items[i]) {
				t.Fatalf("item %d: %+v, want %+v", i, it, items[i])
			}
		}
		entries, err := d.entries(&got, nil)
		if err != nil || !slices.Equal(entries, told) {
			t.Fatalf("entries %+v, %v; want %+v", entries, err, told)
		}
		if d.at != len(d.bytes) {
			t.Fatalf("%d bytes are left", len(d.bytes)-d.at)
		}
		// Cut anywhere, the record is refused.
		cut := rapid.IntRange(0, len(whole)-1).Draw(t, "cut")
		if err := readAll(whole[:cut]); err == nil {
			t.Fatalf("a record cut at %d of %d was read", cut, len(whole))
		}
	})
}

func readAll(data []byte) error {
	var h recordHeader
	d, err := decodeRecord(data, &h)
	if err != nil {
		return err
	}
	var it item
	for range h.items {
		if err := d.next(&h, &it); err != nil {
			return err
		}
	}
	_, err = d.entries(&h, nil)
	return err
}

// A record of version 1 ends behind its items.
func TestRecordsOfVersionOneAreRead(t *testing.T) {
	t.Parallel()
	var e encoder
	e.begin(recordHeader{received: 1e12, stamp: 5, source: "key"})
	e.add(&item{kind: tracking.Track, time: 1e12, messageID: "m", userID: "u", event: "E"})
	old := e.bytes()
	old = old[:len(old)-1] // without the number of entries
	if err := readAll(old); err == nil {
		t.Error("a record of version 2 without its end was read")
	}
	old[0] = 1
	if err := readAll(old); err != nil {
		t.Error(err)
	}
	old[0] = recordVersion + 1
	if err := readAll(old); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("a record of a later version: %v", err)
	}
}

func drawEntry(t *rapid.T) identity.Entry {
	text := rapid.StringN(0, 20, 100)
	e := identity.Entry{
		Kind: identity.EntryKind(rapid.IntRange(0, 9).Draw(t, "kind")), Explicit: rapid.Bool().Draw(t, "explicit"),
		SinceA: rapid.Int64Range(-1<<50, 1<<50).Draw(t, "sinceA"), SinceB: rapid.Int64Range(-1<<50, 1<<50).Draw(t, "sinceB"),
		Rule: text.Draw(t, "rule"), Evidence: text.Draw(t, "evidence"), By: text.Draw(t, "by"), Reason: text.Draw(t, "reason"),
	}
	copy(e.A[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "a"))
	copy(e.B[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "b"))
	return e
}

func FuzzDecodeRecord(f *testing.F) {
	var e encoder
	e.begin(recordHeader{received: 1e12, stamp: 5, source: "key"})
	e.add(&item{kind: tracking.Track, time: 1e12 - 5, messageID: "m", userID: "u", event: "E", properties: `{"a":1}`,
		links: []identity.Identifier{{Namespace: "card", Value: "1"}}, numbers: []tracking.Number{{Path: "a", Value: 1}}})
	e.tell([]identity.Entry{{Kind: identity.Merge, Rule: identity.SignInRule, Evidence: "m", SinceA: 1e12, SinceB: 1e12}})
	f.Add(e.bytes())
	f.Add([]byte{})
	f.Add([]byte{recordVersion, 255, 255, 255, 255, 0, 0, 0})
	f.Add([]byte(strings.Repeat("\xff", 64)))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = readAll(data) // must neither panic nor ask for more memory than there is data
	})
}

func BenchmarkDecodeRecord(b *testing.B) {
	var e encoder
	e.begin(recordHeader{received: 1e12, stamp: 5, source: "key"})
	for range 100 {
		e.add(&item{kind: tracking.Track, time: 1e12 - 5, messageID: "0190a7f2-7d0b-4f7e-8f52-1f4f6f2d1c11", userID: "user-123456", event: "Product Viewed",
			properties: `{"product_id":"sku-42","category":"Shoes","price":59.9,"currency":"EUR","position":3}`,
			numbers:    []tracking.Number{{Path: "price", Value: 59.9}, {Path: "position", Value: 3}}, context: `{"ip":"10.0.0.1","locale":"en-GB"}`})
	}
	data := e.bytes()
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := readAll(data); err != nil {
			b.Fatal(err)
		}
	}
}
