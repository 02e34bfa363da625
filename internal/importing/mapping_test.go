package importing

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

func first(t *testing.T, content string, format Format) *Row {
	t.Helper()
	f, err := OpenFile(write(t, "f", content), ReadOptions{Format: format})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	row, err := f.Next()
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return row
}

func TestMappingOfEvents(t *testing.T) {
	t.Parallel()
	m, err := ParseMapping([]byte(`
userId: {from: customer, type: string, required: true}
event: {const: Order Completed}
timestamp: {from: date, layout: "02.01.2006 15:04", zone: Europe/Moscow}
externalIds: {card: card}
properties:
  revenue: {from: sum, type: number}
  items: {from: items, type: json}
  first: {from: first, type: boolean}
  currency: {from: currency, default: RUB}
context:
  till: till
`), Events)
	if err != nil {
		t.Fatal(err)
	}
	row := first(t, "customer,date,card,sum,items,first,currency,till\n 7 ,01.03.2026 12:30,C1,12.50,\"[1,2]\",yes,,\n", CSV)
	message, err := m.messageOf(Events, "file", row)
	if err != nil {
		t.Fatal(err)
	}
	message.MessageID = ""
	got, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"track","userId":"7","event":"Order Completed","timestamp":"2026-03-01T09:30:00Z","properties":{"currency":"RUB","first":true,"items":[1,2],"revenue":12.5},"context":{"externalIds":[{"id":"C1","type":"card"}]}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	bad := first(t, "customer,date,card,sum,items,first,currency,till\n,soon,C1,much,{,perhaps,,\n", CSV)
	_, err = m.messageOf(Events, "file", bad)
	for _, part := range []string{"userId is required", "timestamp must be a time", "properties.revenue must be a number", "properties.items must be JSON", "properties.first must be true or false"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v does not say %q", err, part)
		}
	}
}

func TestMappingOfNestedJSON(t *testing.T) {
	t.Parallel()
	m, err := ParseMapping([]byte("userId: user.id\ntraits: {city: user.address.city, vip: user.vip, n: user.n}\n"), Profiles)
	if err != nil {
		t.Fatal(err)
	}
	row := first(t, `{"user":{"id":12345678901234567890,"address":{"city":"Perm"},"vip":true,"n":1.50}}`, NDJSON)
	message, err := m.messageOf(Profiles, "file", row)
	if err != nil {
		t.Fatal(err)
	}
	traits, _ := json.Marshal(message.Traits)
	if message.Type != "identify" || message.UserID != "12345678901234567890" || string(traits) != `{"city":"Perm","n":1.50,"vip":true}` {
		t.Errorf("%+v %s", message, traits)
	}
	empty := first(t, `{"user":{"id":null}}`, NDJSON)
	if _, err := m.messageOf(Profiles, "file", empty); err == nil || !strings.Contains(err.Error(), "names nobody") {
		t.Errorf("a row without a person: %v", err)
	}
}

func TestMessageIDsBelongToTheRow(t *testing.T) {
	t.Parallel()
	id := func(mapping, file string, number int64) string {
		m, err := ParseMapping([]byte(mapping), Events)
		if err != nil {
			t.Fatal(err)
		}
		row := first(t, "a\n1\n", CSV)
		row.Number = number
		message, err := m.messageOf(Events, file, row)
		if err != nil || message.MessageID == "" || len(message.MessageID) > 100 {
			t.Fatalf("id %q, %v", message.MessageID, err)
		}
		return message.MessageID
	}
	one := id("userId: a\nevent: {const: E}\n", "file", 1)
	if again := id("# the same\nevent: {const: E}\nuserId: {from: a}\n", "file", 1); again != one {
		t.Errorf("another way to write the mapping changes the id from %s to %s", one, again)
	}
	for name, other := range map[string]string{
		"another event": id("userId: a\nevent: {const: F}\n", "file", 1),
		"another file":  id("userId: a\nevent: {const: E}\n", "copy", 1),
		"another row":   id("userId: a\nevent: {const: E}\n", "file", 2),
	} {
		if other == one {
			t.Errorf("%s has the same id %s", name, one)
		}
	}
}

func TestMappingOfItems(t *testing.T) {
	t.Parallel()
	m, err := ParseMapping([]byte("key: sku\nname: title\nprice: price\nstock: stock\nattributes: {size: {from: size, type: integer}}\n"), Items)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.itemOf(first(t, "sku,title,price,stock,size\ns-1,Boot,59.90,3,42\n", CSV))
	got, _ := json.Marshal(out)
	if err != nil || string(got) != `{"attributes":{"size":42},"key":"s-1","name":"Boot","price":59.9,"stock":3}` {
		t.Errorf("%s %v", got, err)
	}
	if _, err := m.itemOf(first(t, "sku,title,price,stock,size\n,Boot,x,3.5,\n", CSV)); err == nil ||
		!strings.Contains(err.Error(), "price must be a number") || !strings.Contains(err.Error(), "stock must be a whole number") {
		t.Errorf("error %v", err)
	}
}

func TestWrongMappings(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		text string
		kind Kind
		says string
	}{
		"nobody":            {"traits: {a: b}", Profiles, "userId, anonymousId or externalIds is required"},
		"nothing happened":  {"userId: a", Events, "event is required"},
		"no key":            {"name: a", Items, "key is required"},
		"an unknown field":  {"userId: a\nuserNr: b", Profiles, "userNr"},
		"an unknown option": {"userId: {from: a, typ: b}", Profiles, `"typ" is not one of`},
		"another kind":      {"userId: a\nprice: b", Profiles, "price has no meaning for profiles"},
		"an unknown type":   {"userId: {from: a, type: text}", Profiles, `type "text"`},
		"an unknown zone":   {"userId: a\ntimestamp: {from: b, zone: Mars}", Profiles, "zone"},
		"a layout of text":  {"userId: {from: a, layout: iso}", Profiles, "layout and zone belong to type time"},
		"both":              {"userId: {from: a, const: b}", Profiles, "both from and const"},
		"neither":           {"userId: {type: string}", Profiles, "needs from"},
		"a long delimiter":  {"userId: a\ndelimiter: ';;'", Profiles, "one character"},
		"a quote between":   {"userId: a\ndelimiter: '\"'", Profiles, "no quotation mark"},
		"two documents":     {"userId: a\n---\nuserId: b", Profiles, "one YAML document"},
		"a foreign layout":  {"userId: a\ntimestamp: {from: b, layout: YYYY-MM-DD}", Profiles, "nothing of a time"},
		"an empty trait":    {"userId: a\ntraits: {b: }", Profiles, "traits.b: needs from"},
		"no YAML":           {"userId: [", Profiles, "reading the mapping"},
	}
	for name, tc := range cases {
		if _, err := ParseMapping([]byte(tc.text), tc.kind); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: error %v does not say %q", name, err, tc.says)
		}
	}
}

func TestMappingThatPointsNowhere(t *testing.T) {
	t.Parallel()
	m, err := ParseMapping([]byte("userId: a\ntraits: {b: c.d, e: {from: f, default: 1}}"), Profiles)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		content string
		format  Format
		says    string
	}{
		"a column":            {"a,b,f\n1,2,3\n", CSV, `traits.b points at the column "c.d"; the file has the columns a, b, f`},
		"all columns":         {"a,c.d,f\n1,2,3\n", CSV, ""},
		"a path":              {"{\"a\":1}\n{\"a\":2,\"c\":{}}\n", NDJSON, `traits.b points at "c.d", which no row has`},
		"a path of some rows": {"{\"a\":1}\nbad\n{\"c\":{\"d\":null}}\n", NDJSON, ""},
		"an empty file":       {"\n", NDJSON, ""},
	}
	for name, tc := range cases {
		survey, err := Look(write(t, "f", tc.content), ReadOptions{Format: tc.format}, m.paths())
		if err != nil {
			t.Fatal(err)
		}
		err = m.CheckFile(survey)
		if (err != nil) != (tc.says != "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: error %v, want %q", name, err, tc.says)
		}
	}
}

func FuzzMapping(f *testing.F) {
	f.Add("userId: a\ntraits: {b: {from: c, type: number}}", `{"a":"1","c":"2"}`)
	f.Add("userId: {from: a, type: time, layout: unix}\nexternalIds: {x: y}", `{"a":1e300,"y":[]}`)
	f.Fuzz(func(t *testing.T, text, line string) {
		m, err := ParseMapping([]byte(text), Profiles)
		if err != nil {
			return
		}
		file, err := OpenFile(write(t, "f", line), ReadOptions{Format: NDJSON})
		if err != nil {
			return
		}
		defer file.Close()
		row, err := file.Next()
		if err != nil {
			return
		}
		message, err := m.messageOf(Profiles, "file", row)
		if err == nil && message.MessageID == "" {
			t.Fatal("a message without an id")
		}
	})
}
