package tracking

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"quintet/internal/problem"
)

func postHogOf(t *testing.T, body string) *Call {
	t.Helper()
	var c Call
	if err := c.ParsePostHog(body, received); err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestPostHogMessages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ event, want string }{
		"a known person":    {`{"event":"E","distinct_id":"u","properties":{"price":2}}`, `track E u="u" a="" {"price":2}`},
		"a device":          {`{"event":"E","distinct_id":"d","properties":{"$device_id":"d"}}`, `track E u="" a="d" {"$device_id":"d"}`},
		"not identified":    {`{"event":"E","distinct_id":"d","properties":{"$is_identified":false}}`, `track E u="" a="d" {"$is_identified":false}`},
		"id in properties":  {`{"event":"E","properties":{"distinct_id":"u"}}`, `track E u="u" a="" {"distinct_id":"u"}`},
		"a number":          {`{"event":"E","distinct_id":12345678901234567890}`, `track E u="12345678901234567890" a="" `},
		"identify":          {`{"event":"$identify","distinct_id":"u","properties":{"$anon_distinct_id":"d","$set":{"email":"A@b.c"}}}`, `identify $identify u="u" a="d"  [email:a@b.c] {"email":"A@b.c"}`},
		"set on its own":    {`{"event":"$set","distinct_id":"u","$set":{"a":1}}`, `identify $identify u="u" a=""  {"a":1}`},
		"alias":             {`{"event":"$create_alias","distinct_id":"u","properties":{"alias":"old"}}`, `alias $alias u="u" a="old" {"alias":"old","previousId":"old"}`},
		"a group":           {`{"event":"$groupidentify","distinct_id":"u","properties":{"$group_type":"c","$group_key":"k","$group_set":{"n":1}}}`, `group $group u="u" a="" {"$group_type":"c","$group_key":"k","$group_set":{"n":1},"groupId":"k"} {"n":1}`},
		"a group of nobody": {`{"event":"$groupidentify","distinct_id":"$c_k","properties":{"$group_type":"c","$group_key":"k"}}`, `group $group u="" a="" {"$group_type":"c","$group_key":"k","groupId":"k"} [group:c/k]`},
		"a page":            {`{"event":"$pageview","distinct_id":"u","properties":{"$current_url":"/x"}}`, `page $page u="u" a="" {"$current_url":"/x","url":"/x"}`},
		"a screen":          {`{"event":"$screen","distinct_id":"u","properties":{"$screen_name":"S","name":"own"}}`, `screen $screen u="u" a="" {"$screen_name":"S","name":"own"}`},
		"an event with traits": {`{"event":"E","distinct_id":"u","uuid":"7","properties":{"$set":{"a":1},"$set_once":{"b":2}}}`,
			`track E u="u" a="" {"$set":{"a":1},"$set_once":{"b":2}} identify $identify u="u" a=""  {"a":1} once {"b":2} id 7-set`},
	} {
		call := postHogOf(t, `{"api_key":"k","batch":[`+c.event+`]}`)
		var got []string
		for _, m := range call.Messages {
			line := fmt.Sprintf("%s %s u=%q a=%q %s", m.Type, m.Event, m.UserID, m.AnonymousID, m.Properties)
			if len(m.Others) > 0 {
				line += fmt.Sprintf(" %v", m.Others)
			}
			if m.Traits != "" {
				line += " " + m.Traits
			}
			if m.Once != "" {
				line += " once " + m.Once
			}
			if strings.HasSuffix(m.MessageID, "-set") {
				line += " id " + m.MessageID
			}
			got = append(got, line)
		}
		if strings.Join(got, " ") != c.want || call.WriteKey != "k" {
			t.Errorf("%s:\n got %s\nwant %s\n%v", name, strings.Join(got, " "), c.want, call.Rejected)
		}
	}
}

func TestPostHogRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ event, field, rule string }{
		"no event":          {`{"distinct_id":"u"}`, "batch[0].event", "required"},
		"nobody":            {`{"event":"E"}`, "batch[0].distinct_id", "required"},
		"an object as id":   {`{"event":"E","distinct_id":{}}`, "batch[0].distinct_id", "string"},
		"a long id":         {`{"event":"E","distinct_id":"` + strings.Repeat("x", 300) + `"}`, "batch[0].distinct_id", "256"},
		"a long event":      {`{"event":"` + strings.Repeat("x", 300) + `","distinct_id":"u"}`, "batch[0].event", "256"},
		"a time":            {`{"event":"E","distinct_id":"u","timestamp":5}`, "batch[0].timestamp", "string"},
		"properties":        {`{"event":"E","distinct_id":"u","properties":[]}`, "batch[0].properties", "object"},
		"traits":            {`{"event":"E","distinct_id":"u","properties":{"$set":"x"}}`, "batch[0].properties.$set", "object"},
		"alias of nobody":   {`{"event":"$create_alias","distinct_id":"u"}`, "batch[0].properties.alias", "required"},
		"a group of no key": {`{"event":"$groupidentify","distinct_id":"u"}`, "batch[0].properties.$group_key", "required"},
		"a reserved name":   {`{"event":"$group","distinct_id":"u"}`, "batch[0].event", "$group"},
		"ill-formed text":   {"{\"event\":\"E\",\"distinct_id\":\"u\",\"properties\":{\"a\":\"\xff\"}}", "batch[0].properties.a", "UTF-8"},
		"too large":         {`{"event":"E","distinct_id":"u","properties":{"a":"` + strings.Repeat("x", MaxLargeMessage) + `"}}`, "batch[0]", "65536"},
		"nested too deep":   {`{"event":"E","distinct_id":"u","properties":` + strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17) + `}`, "batch[0].properties", "16"},
	} {
		call := postHogOf(t, `{"batch":[`+c.event+`]}`)
		if len(call.Rejected) != 1 || call.Rejected[0].Errors[0].Field != c.field || !strings.Contains(call.Rejected[0].Errors[0].Rule, c.rule) {
			t.Errorf("%s: %+v %+v", name, call.Rejected, call.Messages)
		}
	}
}

func TestFromQuery(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"event=E&properties.a.b=1&properties.a.c=x": `{"event":"E","properties":{"a":{"b":"1","c":"x"}}}`,
		"": `{}`, "a=%C3%A9": `{"a":"é"}`, "a=1&a=2": `{"a":"1"}`,
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := FromQuery(values, ""); err != nil || got != want {
			t.Errorf("%s: %s %v", query, got, err)
		}
	}
	if got, err := FromQuery(url.Values{"properties.a": {"1"}}, `{"properties":{"b":12345678901234567890}}`); err != nil || got != `{"properties":{"a":"1","b":12345678901234567890}}` {
		t.Errorf("%s %v", got, err)
	}
	for query, field := range map[string]string{
		"a=1&a.b=2": "query.a.b", "a..b=1": "query.a..b", "a=%ff": "query.a", ".=1": "query..", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q=1": "query.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		var invalid problem.Invalid
		if got, err := FromQuery(values, ""); !errors.As(err, &invalid) || invalid[0].Field != field {
			t.Errorf("%s: %s %v", query, got, err)
		}
	}
	if _, err := FromQuery(nil, `[1]`); err == nil {
		t.Error("an array is a message")
	}
}

// What PostHog's clients send is refused as no JSON exactly when it is not, and
// what is kept is complete.
func FuzzPostHog(f *testing.F) {
	for _, seed := range []string{
		`{"api_key":"k","batch":[{"event":"E","distinct_id":"u","uuid":"1","timestamp":"2026-01-01T00:00:00Z","properties":{"$set":{"email":"a@b"},"$set_once":{"x":1},"price":1.5}}],"sent_at":"2026-01-01T00:00:00Z"}`,
		`[{"event":"$groupidentify","properties":{"token":"k","distinct_id":"$a_b","$group_type":"a","$group_key":"b","$group_set":{"n":1}}},{"event":"$create_alias","distinct_id":1,"properties":{"alias":2}}]`,
		`{"event":"$pageview","distinct_id":"d","properties":{"$device_id":"d","$is_identified":false,"$current_url":"x\u0000"}}`,
		"{\"event\":\"\xff\",\"distinct_id\":\"\\ud800\"}", `{"batch":null}`, `[`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var c Call
		err := c.ParsePostHog(body, received)
		var syntax *SyntaxError
		if valid := json.Valid([]byte(body)); errors.As(err, &syntax) == valid && depthOf(body) <= maxDepth {
			t.Fatalf("valid JSON %v, error %v", valid, err)
		}
		if err != nil {
			return
		}
		for _, m := range c.Messages {
			if m.UserID == "" && m.AnonymousID == "" && len(m.Others) == 0 || m.Event == "" || m.MessageID == "" || m.Type == Batch {
				t.Fatalf("kept incomplete: %+v", m)
			}
			for _, raw := range []string{m.Properties, m.Traits, m.Once} {
				if raw != "" && (!json.Valid([]byte(raw)) || raw[0] != '{') {
					t.Fatalf("kept %q", raw)
				}
			}
		}
		for _, r := range c.Rejected {
			if len(r.Errors) == 0 {
				t.Fatal("rejected without a reason")
			}
		}
	})
}

// Whatever an address has, it becomes JSON of texts, or the parameter is named.
func FuzzFromQuery(f *testing.F) {
	f.Add("event=E&properties.a.b=1&properties.a=2", `{"properties":{"x":[1]}}`)
	f.Add("a=%ff&.=&b.c", "")
	f.Fuzz(func(t *testing.T, query, base string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		text, err := FromQuery(values, base)
		var invalid problem.Invalid
		if err != nil {
			if !errors.As(err, &invalid) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if !json.Valid([]byte(text)) || text[0] != '{' {
			t.Fatalf("made %q", text)
		}
		var c Call
		if err := c.Parse(text, Track, received); err != nil {
			var syntax *SyntaxError
			if errors.As(err, &syntax) && depthOf(text) <= maxDepth {
				t.Fatalf("the text of %q is no JSON: %v", query, err)
			}
		}
	})
}
