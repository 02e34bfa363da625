package quality

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"quintet/profiles"
)

// messages are purchases of which the counts are known to the queries below only.
func messages(n int) []string {
	list := make([]string, n)
	for i := range list {
		properties := fmt.Sprintf(`"total":%d.5,"sku":"s%d","when":"2026-03-%02d"`, i, i%37, i%28+1)
		if i%3 == 0 {
			properties += `,"coupon":null`
		}
		if i%5 == 0 {
			properties += fmt.Sprintf(`,"contact":"u%d@example.org","cart":{"value":%d,"note":"","lines":[1]}`, i, i)
		}
		if i%7 == 0 {
			properties = strings.Replace(properties, fmt.Sprintf(`"total":%d.5`, i), fmt.Sprintf(`"total":"%d.5"`, i), 1)
		}
		list[i] = fmt.Sprintf(`{"type":"track","userId":"u%d","event":"Bought","messageId":"m%d","properties":{%s},"context":{"ip":"10.0.0.%d","page":{"path":"/p"}}}`, i%11, i, properties, i%250)
	}
	return list
}

// check compares the counts with queries over the events that know nothing of how
// they were made.
func (b *bed) check(n int) {
	b.T.Helper()
	for _, c := range []struct{ name, counted, events string }{
		{"events", `sumIf(present, field = '')`, `count()`},
		{"totals", `sumIf(present, field = 'properties.total')`, `countIf(JSONHas(properties, 'total'))`},
		{"totals that are texts", `sumIf(texts, field = 'properties.total')`, `countIf(JSONType(properties, 'total') = 'String')`},
		{"totals that are numbers", `sumIf(numbers, field = 'properties.total')`, `countIf(JSONType(properties, 'total') IN ('Double', 'Int64', 'UInt64'))`},
		{"coupons that are null", `sumIf(empty, field = 'properties.coupon')`, `countIf(JSONHas(properties, 'coupon') AND JSONType(properties, 'coupon') = 'Null')`},
		{"addresses", `sumIf(emails, field = 'properties.contact')`, `countIf(match(JSONExtractString(properties, 'contact'), '^[^@]+@[^@]+[.]org$'))`},
		{"values of the cart", `sumIf(numbers, field = 'properties.cart.value')`, `countIf(JSONHas(properties, 'cart', 'value'))`},
		{"empty notes", `sumIf(empty, field = 'properties.cart.note')`, `countIf(JSONHas(properties, 'cart', 'note') AND JSONExtractString(properties, 'cart', 'note') = '')`},
		{"lists", `sumIf(arrays, field = 'properties.cart.lines')`, `countIf(JSONType(properties, 'cart', 'lines') = 'Array')`},
		{"objects", `sumIf(objects, field = 'context.page')`, `countIf(JSONType(context, 'page') = 'Object')`},
		{"addresses of networks", `sumIf(addresses, field = 'context.ip')`, `countIf(isIPv4String(JSONExtractString(context, 'ip')))`},
		{"dates", `sumIf(dates, field = 'properties.when')`, `countIf(toDateOrNull(JSONExtractString(properties, 'when')) IS NOT NULL)`},
		{"the largest total", `toUInt64(10 * maxIf(maximum, field = 'properties.total'))`, `toUInt64(10 * maxIf(JSONExtractFloat(properties, 'total'), JSONType(properties, 'total') = 'Double'))`},
		{"when it was first seen", `toUnixTimestamp64Milli(minIf(first_seen, field = 'properties.total'))::UInt64`, `toUnixTimestamp64Milli(min(received_at))::UInt64`},
		{"when it was last seen", `toUnixTimestamp64Milli(maxIf(last_seen, field = ''))::UInt64`, `toUnixTimestamp64Milli(max(received_at))::UInt64`},
	} {
		got := b.Number(`SELECT ` + c.counted + ` FROM quality_fields WHERE event = 'Bought'`)
		if want := b.Number(`SELECT ` + c.events + ` FROM events FINAL WHERE event = 'Bought'`); got != want {
			b.T.Errorf("%s: %d were counted, %d are among the events", c.name, got, want)
		}
	}
	if got := b.Number(`SELECT sumIf(present, field = '') FROM quality_fields WHERE event = 'Bought'`); got != uint64(n) {
		b.T.Errorf("%d events are counted, want %d", got, n)
	}
}

func TestCountsAgreeWithTheEvents(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	list := messages(600)
	for part := range slices.Chunk(list[:400], 50) {
		b.Track(part...)
	}
	b.Track(list[:100]...) // again: they are not stored
	b.flush()
	b.check(400)
	b.Open() // a restart
	b.Track(list[400:]...)
	b.flush()
	b.check(600)

	fields := items(b.Must("GET", "/v1/sources/k1/fields?event=Bought", ""))
	byName := map[string]map[string]any{}
	for _, f := range fields {
		byName[f["field"].(string)] = f
	}
	total := byName["properties.total"]
	if total["fillRate"] != 1.0 || total["personal"] != false || total["min"] != 1.5 {
		t.Errorf("the total is %v", total)
	}
	// 86 of 600 totals are texts.
	if validity := total["validity"].(float64); math.Abs(validity-514.0/600) > 1e-9 {
		t.Errorf("the validity of the total is %v, want 514/600", validity)
	}
	if sku := byName["properties.sku"]["distinct"].(float64); math.Abs(sku-37) > 2 {
		t.Errorf("there are about %v skus, want 37", sku)
	}
	if c := byName["properties.contact"]; c["personal"] != true || c["personalWhy"] != "format" || !strings.Contains(fmt.Sprint(c["example"]), "•••@example.org") {
		t.Errorf("the contact is %v", c)
	}
	if ip := byName["context.ip"]; ip["personal"] != true || ip["personalWhy"] != "name" || strings.HasPrefix(fmt.Sprint(ip["example"]), "10.") {
		t.Errorf("the address is %v", ip)
	}
	if c := byName["properties.coupon"]; c["fillRate"] != 0.0 || c["present"] != 200.0 {
		t.Errorf("the coupon is %v", c)
	}
	b.Token = "masked"
	for _, f := range items(b.Must("GET", "/v1/sources/k1/fields?event=Bought", "")) {
		if f["personal"] == true && f["example"] != nil {
			t.Errorf("an example is shown to whom personal data is hidden: %v", f)
		}
	}
}

func eventsOf(list ...profiles.StoredEvent) iter.Seq[*profiles.StoredEvent] {
	return func(yield func(*profiles.StoredEvent) bool) {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
}

func TestARangeCountsOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	now := time.Now().UnixMilli()
	one := profiles.StoredEvent{Type: "track", Event: "Bought", Source: "s", Time: now, Received: now, Properties: `{"a":1}`, Traits: "{}", Context: "{}"}
	late := one
	late.Time -= 2 * hourMillis
	for range 3 {
		if err := b.service.Stored(t.Context(), "EVENTS:1-2", eventsOf(one, late)); err != nil {
			t.Fatal(err)
		}
	}
	b.Open()
	if err := b.service.Stored(t.Context(), "EVENTS:1-2", eventsOf(one, late)); err != nil {
		t.Fatal(err)
	}
	if err := b.service.Stored(t.Context(), "EVENTS:3-3", eventsOf(one)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		query string
		want  uint64
	}{
		{`SELECT sumIf(present, field = '') FROM quality_fields`, 3},
		{`SELECT sumIf(present, field = 'properties.a') FROM quality_fields`, 3},
		{`SELECT sum(late) FROM quality_fields`, 1},
	} {
		if got := b.Number(c.query); got != c.want {
			t.Errorf("%s: %d, want %d", c.query, got, c.want)
		}
	}
}

func TestBoundsOfWhatIsCounted(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	now := time.Now().UnixMilli()
	list := make([]profiles.StoredEvent, 0, MaxEvents+50)
	for i := range MaxEvents + 50 {
		list = append(list, profiles.StoredEvent{Event: fmt.Sprintf("e%d", i), Source: "many", Time: now, Received: now})
	}
	var wide strings.Builder
	for i := range MaxFields + 30 {
		fmt.Fprintf(&wide, `,"field%c%c%c":%d`, 'a'+i%26, 'a'+i/26%26, 'a'+i/676, i)
	}
	list = append(list, profiles.StoredEvent{Event: "wide", Source: "wide", Time: now, Received: now, Properties: "{" + wide.String()[1:] + "}"},
		profiles.StoredEvent{Event: "ids", Source: "ids", Time: now, Received: now, Properties: `{"a@example.org":1,"84951234567":2,"+79161234567":3,"item":4}`})
	if err := b.service.Stored(t.Context(), "x", eventsOf(list...)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		query string
		want  uint64
	}{
		{`SELECT uniqExact(event) FROM quality_fields WHERE source = 'many'`, MaxEvents + 1},
		{`SELECT sum(overflow) FROM quality_fields WHERE source = 'many' AND event = '*'`, 50},
		{`SELECT sum(present) FROM quality_fields WHERE source = 'many' AND field = ''`, MaxEvents + 50},
		{`SELECT uniqExact(field) FROM quality_fields WHERE source = 'wide' AND field != ''`, MaxFields},
		{`SELECT sum(overflow) FROM quality_fields WHERE source = 'wide'`, 30},
		{`SELECT sum(present) FROM quality_fields WHERE source = 'ids' AND field = 'properties.*'`, 3},
		{`SELECT uniqExact(field) FROM quality_fields WHERE source = 'ids' AND field != ''`, 2},
	} {
		if got := b.Number(c.query); got != c.want {
			t.Errorf("%s: %d, want %d", c.query, got, c.want)
		}
	}
	b.Open() // bounds hold over a restart
	if err := b.service.Stored(t.Context(), "y", eventsOf(profiles.StoredEvent{Event: "one more", Source: "many", Time: now, Received: now})); err != nil {
		t.Fatal(err)
	}
	if got := b.Number(`SELECT count() FROM quality_fields WHERE event = 'one more'`); got != 0 {
		t.Errorf("an event beyond the bound is counted by its name after a restart")
	}
}
