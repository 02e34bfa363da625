package quality

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"quintet/profiles"
)

func contains(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]format{
		"anna@example.org": emailLike, "a@b.c": plain, "anna@example": plain, "a b@example.org": plain, "@example.org": plain, "a@b@example.org": plain,
		"2026-03-01": dateLike, "2026-03-01T10:00:00Z": dateLike, "2026-13-01": plain,
		"+79161234567": phoneLike, "8 (495) 123-45-67": phoneLike, "79161234567": plain, "+7": plain, "+1234567890123456": plain, "+7916x234567": plain,
		"4111111111111111": cardLike, "4111 1111 1111 1111": cardLike, "5500-0000-0000-0004": cardLike, "4111111111111112": plain, "1111111111111117": plain,
		"10.0.0.1": addressLike, "2001:db8::1": addressLike, "10.0.0.256": plain, "::ffff:1.2.3.4": addressLike,
		"": plain, "hello world": plain, "abcdef": plain, strings.Repeat("1", 300): plain, "12345678901234567890": plain,
	} {
		if got := formatOf(text); got != want {
			t.Errorf("%q is of format %d, want %d", text, got, want)
		}
	}
	for path, want := range map[string]bool{
		"traits.email": true, "properties.E-Mail": true, "properties.shipping.phone_number": true, "traits.name": true, "properties.name": false,
		"context.ip": true, "context.traits.plan": true, "context.ipx": false, "properties.total": false, "properties.first name": true,
	} {
		if got := namesPerson(path); got != want {
			t.Errorf("%s names a person: %v", path, got)
		}
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	// The examples of RFC 7386, appendix A, whose patch is an object.
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`}, {`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`}, {`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`}, {`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`}, {`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`}, {`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`}, {`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`}, {`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"id":12345678901234567890}`, `{}`, `{"id":12345678901234567890}`}, {`broken`, `{"a":1}`, `{"a":1}`},
	} {
		if got, err := applyPatch([]byte(c[0]), json.RawMessage(c[1])); err != nil || string(got) != c[2] {
			t.Errorf("%s patched by %s is %s, %v; want %s", c[0], c[1], got, err, c[2])
		}
	}
	for _, bad := range []string{`7`, `null`, `[`, `{} {}`} {
		if _, err := applyPatch([]byte(`{}`), json.RawMessage(bad)); err == nil {
			t.Errorf("the patch %s is taken", bad)
		}
	}
}

// FuzzMembers compares with encoding/json, and has everything walk through the text.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"b":{"c":[1,"}"]},"d\u0041":"x\"y"}`, ` { "a" : null , "b" : true } `, `{"a"`, `{"a":}`, `[1]`, `{"a":"\`, `{"a":[}]}`, `{"a":1}{`, "{\"\xff\":\"\xff\"}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := map[string]string{}
		members(text, func(name, value string) {
			if value == "" {
				t.Fatalf("%q has an empty value", text)
			}
			got[name] = value
		})
		eachField("properties", text, 3, func(_, raw string) { example(&FieldQuality{Field: "properties.a"}, raw, nil) })
		texts(text)
		withoutKeys("tracking", text)
		_, _ = applyPatch([]byte(text), json.RawMessage(text))
		o := newObservation(&registry{sources: map[string]map[string]map[string]struct{}{}}, &schemaSet{}, nil)
		o.add(&profiles.StoredEvent{Event: "e", Source: "s", Properties: text, Traits: text, Context: text})
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
			return
		}
		var want map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &want) != nil {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q has %d members, want %d", text, len(got), len(want))
		}
		for name, raw := range want {
			var a, b any
			if json.Unmarshal(raw, &a) != nil || json.Unmarshal([]byte(got[name]), &b) != nil {
				if !strings.ContainsAny(string(raw), "eE0123456789") { // a number beyond what a float holds
					t.Fatalf("%q: %s is %q", text, name, got[name])
				}
				continue
			}
			if !reflect.DeepEqual(a, b) {
				t.Fatalf("%q: %s is %q, want %q", text, name, got[name], raw)
			}
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	now := time.Now().UnixMilli()
	e := profiles.StoredEvent{
		Event: "Order Completed", Source: "key", Time: now, Received: now,
		Properties: `{"orderId":"o-1029384","revenue":129.5,"currency":"EUR","coupon":null,"products":[{"sku":"a","price":12},{"sku":"b","price":7}],"shipping":{"method":"post","cost":3.5}}`,
		Traits:     "{}",
		Context:    `{"ip":"10.1.2.3","userAgent":"Mozilla/5.0 (X11; Linux x86_64)","page":{"path":"/checkout","url":"https://shop.example/checkout"},"library":{"name":"analytics.js","version":"4.1"}}`,
	}
	r := &registry{sources: map[string]map[string]map[string]struct{}{}}
	o := newObservation(r, &schemaSet{}, nil)
	b.ReportAllocs()
	for b.Loop() {
		o.add(&e)
	}
	if len(o.hours) == 0 {
		b.Fatal("nothing was counted")
	}
}
