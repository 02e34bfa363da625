package tracking

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"quintet/internal/problem"
	"quintet/profiles/identity"
)

var received = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func parse(t *testing.T, body string, kind Type) *Call {
	t.Helper()
	c := &Call{}
	if err := c.Parse(body, kind, received); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return c
}

func TestParseTrack(t *testing.T) {
	t.Parallel()
	c := parse(t, `{ "userId":" u42 ","anonymousId":"a","event":"Order Completed","messageId":"m1",
		"timestamp":"2026-03-01T10:00:00.250Z",
		"properties":{"revenue":12.5,"decisionId":"01J","shipping":{"cost":3,"days":[1,2]},"currency":"EUR","note":"a \" b","big":1e3},
		"context": { "ip":"1.2.3.4" } }`, Track)
	if len(c.Messages) != 1 || len(c.Rejected) != 0 {
		t.Fatalf("%+v", c)
	}
	m := c.Messages[0]
	if m.UserID != "u42" || m.AnonymousID != "a" || m.Event != "Order Completed" || m.MessageID != "m1" || m.DecisionID != "01J" || m.Type != Track {
		t.Errorf("%+v", m)
	}
	if want := received.Add(-2*time.Hour + 250*time.Millisecond).UnixMilli(); m.Time != want {
		t.Errorf("time %d, want %d", m.Time, want)
	}
	if got := fmt.Sprint(m.Numbers); got != "[{revenue 12.5} {shipping.cost 3} {big 1000}]" {
		t.Errorf("numbers %s", got)
	}
	if m.Properties != `{"revenue":12.5,"decisionId":"01J","shipping":{"cost":3,"days":[1,2]},"currency":"EUR","note":"a \" b","big":1e3}` {
		t.Errorf("properties %s", m.Properties)
	}
	if m.Context != `{"ip":"1.2.3.4"}` {
		t.Errorf("context %s", m.Context)
	}
}

func TestParseKinds(t *testing.T) {
	t.Parallel()
	mail := identity.Identifier{Namespace: "email", Value: "anna@example.org"}
	cases := map[string]struct {
		body  string
		check func(m Message) bool
	}{
		"identify": {`{"type":"identify","userId":"u","traits":{"email":"Anna@example.org ","phone":5,"plan":"pro"}}`,
			func(m Message) bool {
				return m.Event == "$identify" && m.Traits == `{"email":"Anna@example.org ","phone":5,"plan":"pro"}` && len(m.Others) == 1 && m.Others[0] == mail
			}},
		"identify with traits in its context": {`{"type":"identify","userId":"u","context":{"traits":{"email":"anna@example.org"}}}`,
			func(m Message) bool {
				return m.Traits == `{"email":"anna@example.org"}` && len(m.Others) == 1 && m.Others[0] == mail
			}},
		"identify with traits in both": {`{"type":"identify","userId":"u","traits":{"a":1},"context":{"traits":{"email":"anna@example.org"}}}`,
			func(m Message) bool { return m.Traits == `{"a":1}` && len(m.Others) == 0 }},
		"track does not identify": {`{"type":"track","event":"E","userId":"u","traits":{"email":"anna@example.org"}}`,
			func(m Message) bool { return m.Traits == "" && len(m.Others) == 0 }},
		"page": {`{"type":"page","anonymousId":"a","name":"Home","category":"Shop","properties":{"url":"/"}}`,
			func(m Message) bool {
				return m.Event == "$page" && m.Properties == `{"url":"/","name":"Home","category":"Shop"}`
			}},
		"page with a name among its properties": {`{"type":"page","anonymousId":"a","name":"Home","properties":{"name":"x"}}`,
			func(m Message) bool { return m.Properties == `{"name":"x"}` }},
		"screen": {`{"type":"screen","anonymousId":"a","name":"Ho\"me"}`,
			func(m Message) bool { return m.Event == "$screen" && m.Properties == `{"name":"Ho\"me"}` }},
		"group": {`{"type":"group","userId":"u","groupId":"g7","traits":{"size":3}}`,
			func(m Message) bool {
				return m.Event == "$group" && m.Properties == `{"groupId":"g7"}` && m.Traits == `{"size":3}`
			}},
		"alias": {`{"type":"alias","userId":"u","previousId":"a"}`,
			func(m Message) bool { return m.Event == "$alias" && m.AnonymousID == "a" && m.UserID == "u" }},
		"external id only": {`{"type":"track","event":"E","context":{"externalIds":[{"id":" 7 ","type":"card","collection":"users"}]}}`,
			func(m Message) bool {
				return len(m.Others) == 1 && m.Others[0] == identity.Identifier{Namespace: "card", Value: "7"}
			}},
		"absent as null": {`{"type":"track","event":"E","userId":"u","anonymousId":null,"properties":null,"context":null,"timestamp":null,"messageId":null}`,
			func(m Message) bool {
				return m.AnonymousID == "" && m.Properties == "" && len(m.MessageID) == 26 && m.Time == received.UnixMilli()
			}},
		"escapes": {`{"type":"track","event":"Caf\u00e9 \ud83d\ude00","userId":"\u0075"}`,
			func(m Message) bool { return m.Event == "Café 😀" && m.UserID == "u" }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := parse(t, `{"batch":[`+tc.body+`]}`, Batch)
			if len(c.Rejected) > 0 {
				t.Fatalf("rejected: %+v", c.Rejected)
			}
			if len(c.Messages) != 1 || !tc.check(c.Messages[0]) {
				t.Fatalf("%+v", c.Messages)
			}
		})
	}
}

func TestParseClock(t *testing.T) {
	t.Parallel()
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	cases := []struct{ fields, top, want string }{
		{``, ``, "2026-03-01T12:00:00Z"},
		{`"timestamp":"2026-03-01T11:59:00Z"`, ``, "2026-03-01T11:59:00Z"},
		{`"timestamp":"2026-03-01T14:59:00+03:00"`, ``, "2026-03-01T11:59:00Z"},
		{`"timestamp":"2026-03-01 11:59:00"`, ``, "2026-03-01T11:59:00Z"},
		{`"timestamp":"2026-02-28"`, ``, "2026-02-28T00:00:00Z"},
		// A clock that is an hour ahead.
		{`"timestamp":"2026-03-01T12:50:00Z","sentAt":"2026-03-01T13:00:00Z"`, ``, "2026-03-01T11:50:00Z"},
		{`"timestamp":"2026-03-01T12:50:00Z"`, `,"sentAt":"2026-03-01T13:00:00Z"`, "2026-03-01T11:50:00Z"},
		{`"originalTimestamp":"2026-03-01T12:50:00Z","sentAt":"2026-03-01T13:00:00Z"`, ``, "2026-03-01T11:50:00Z"},
		// The future is clamped.
		{`"timestamp":"2026-03-01T12:50:00Z"`, ``, "2026-03-01T12:00:00Z"},
		{`"timestamp":"2026-03-01T12:50:00Z","sentAt":"2026-03-01T12:40:00Z"`, ``, "2026-03-01T12:00:00Z"},
		{`"timestamp":"1997-01-01"`, ``, "1997-01-01T00:00:00Z"},
	}
	for _, tc := range cases {
		fields := tc.fields
		if fields != "" {
			fields = "," + fields
		}
		c := parse(t, `{"batch":[{"type":"track","event":"E","userId":"u"`+fields+`}]`+tc.top+`}`, Batch)
		if len(c.Messages) != 1 || c.Messages[0].Time != at(tc.want) {
			t.Errorf("%s %s: got %+v, want %s", tc.fields, tc.top, c.Messages, tc.want)
		}
	}
}

func TestParseMergesTheContextOfTheBatch(t *testing.T) {
	t.Parallel()
	c := parse(t, `{"batch":[
		{"type":"track","event":"E","userId":"u"},
		{"type":"track","event":"E","userId":"u","context":{"ip":"own","b":{}}},
		{"type":"track","event":"E","userId":"u","context":{}}
	],"context":{"ip":"shared", "locale":"ru"}}`, Batch)
	want := []string{`{"ip":"shared","locale":"ru"}`, `{"ip":"own","b":{},"locale":"ru"}`, `{"ip":"shared","locale":"ru"}`}
	for i, m := range c.Messages {
		if m.Context != want[i] {
			t.Errorf("message %d: %s, want %s", i, m.Context, want[i])
		}
	}
}

func nested(levels int) string {
	return strings.Repeat(`{"a":`, levels-1) + `{}` + strings.Repeat(`}`, levels-1)
}

// Each broken rule is reported under the path of its field, and the messages
// beside it are kept.
func TestParseRejects(t *testing.T) {
	t.Parallel()
	traits := make([]string, 301)
	for i := range traits {
		traits[i] = fmt.Sprintf(`"t%d":1`, i)
	}
	cases := map[string]struct{ message, field, rule string }{
		"no object":             {`5`, "batch[1]", "must be an object"},
		"no type":               {`{"event":"E","userId":"u"}`, "batch[1].type", "one of"},
		"unknown type":          {`{"type":"merge","userId":"u"}`, "batch[1].type", "one of"},
		"no identifier":         {`{"type":"track","event":"E"}`, "batch[1].userId", "required"},
		"identifier too long":   {`{"type":"track","event":"E","userId":"` + strings.Repeat("x", 10000) + `"}`, "batch[1].userId", "longer than 256"},
		"identifier a number":   {`{"type":"track","event":"E","userId":5}`, "batch[1].userId", "must be a string"},
		"identifier empty":      {`{"type":"track","event":"E","userId":"  "}`, "batch[1].userId", "empty"},
		"no event":              {`{"type":"track","userId":"u"}`, "batch[1].event", "required"},
		"event too long":        {`{"type":"track","userId":"u","event":"` + strings.Repeat("x", 257) + `"}`, "batch[1].event", "256"},
		"event reserved":        {`{"type":"track","userId":"u","event":"$identify"}`, "batch[1].event", "another kind"},
		"message id too long":   {`{"type":"track","userId":"u","event":"E","messageId":"` + strings.Repeat("x", 101) + `"}`, "batch[1].messageId", "100"},
		"properties an array":   {`{"type":"track","userId":"u","event":"E","properties":[1]}`, "batch[1].properties", "object"},
		"traits a text":         {`{"type":"identify","userId":"u","traits":"x"}`, "batch[1].traits", "object"},
		"too many traits":       {`{"type":"identify","userId":"u","traits":{` + strings.Join(traits, ",") + `}}`, "batch[1].traits", "300"},
		"context a number":      {`{"type":"track","userId":"u","event":"E","context":1}`, "batch[1].context", "object"},
		"nested too deep":       {`{"type":"track","userId":"u","event":"E","properties":` + nested(17) + `}`, "batch[1].properties", "16"},
		"too large":             {`{"type":"track","userId":"u","event":"E","properties":{"x":"` + strings.Repeat("x", MaxMessage) + `"}}`, "batch[1]", "32768"},
		"no time":               {`{"type":"track","userId":"u","event":"E","timestamp":"yesterday"}`, "batch[1].timestamp", "ISO 8601"},
		"time a number":         {`{"type":"track","userId":"u","event":"E","timestamp":1700000000}`, "batch[1].timestamp", "string"},
		"too old":               {`{"type":"track","userId":"u","event":"E","timestamp":"1969-12-31T00:00:00Z"}`, "batch[1].timestamp", "1990-01-01"},
		"number out of range":   {`{"type":"track","userId":"u","event":"E","properties":{"a":{"b":1e999}}}`, "batch[1].properties.a.b", "64-bit"},
		"number in an array":    {`{"type":"track","userId":"u","event":"E","properties":{"a":[0,-1e999]}}`, "batch[1].properties.a[1]", "64-bit"},
		"zero character":        {`{"type":"track","userId":"u","event":"E","properties":{"a":"x\u0000"}}`, "batch[1].properties.a", "U+0000"},
		"half a pair":           {`{"type":"identify","userId":"u","traits":{"a":"\ud800x"}}`, "batch[1].traits.a", "surrogate"},
		"ill-formed text":       {"{\"type\":\"track\",\"userId\":\"u\",\"event\":\"E\",\"properties\":{\"a\":\"\xff\"}}", "batch[1].properties.a", "UTF-8"},
		"ill-formed user":       {"{\"type\":\"track\",\"userId\":\"\xff\",\"event\":\"E\"}", "batch[1].userId", "UTF-8"},
		"decision id a number":  {`{"type":"track","userId":"u","event":"E","properties":{"decisionId":7}}`, "batch[1].properties.decisionId", "string"},
		"group without id":      {`{"type":"group","userId":"u"}`, "batch[1].groupId", "required"},
		"alias without a user":  {`{"type":"alias","previousId":"a"}`, "batch[1].", "required"},
		"external id no object": {`{"type":"track","userId":"u","event":"E","context":{"externalIds":[7]}}`, "batch[1].context.externalIds[0]", "object"},
		"external id a user id": {`{"type":"track","event":"E","context":{"externalIds":[{"id":"7","type":"user_id"}]}}`, "batch[1].context.externalIds[0]", "userId"},
	}
	const good = `{"type":"track","event":"E","userId":"u","messageId":"good"}`
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := parse(t, `{"batch":[`+good+`,`+tc.message+`,`+good+`]}`, Batch)
			if len(c.Messages) != 2 || c.Messages[0].Index != 0 || c.Messages[1].Index != 2 {
				t.Fatalf("the messages beside it: %+v", c.Messages)
			}
			if len(c.Rejected) != 1 || c.Rejected[0].Index != 1 {
				t.Fatalf("rejected: %+v", c.Rejected)
			}
			for _, f := range c.Rejected[0].Errors {
				if strings.HasPrefix(f.Field, tc.field) && strings.Contains(f.Rule, tc.rule) {
					return
				}
			}
			t.Fatalf("no fault of %s says %q: %v", tc.field, tc.rule, c.Rejected[0].Errors)
		})
	}
	t.Run("16 levels are allowed", func(t *testing.T) {
		t.Parallel()
		c := parse(t, `{"userId":"u","event":"E","properties":`+nested(16)+`}`, Track)
		if len(c.Messages) != 1 {
			t.Fatalf("%+v", c.Rejected)
		}
	})
}

func TestParseRefusesTheWholeCall(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat(`{"type":"track","event":"E","userId":"u"},`, MaxBatch+1), ",")
	broken := map[string]struct{ body, says string }{
		"empty":              {``, "empty"},
		"not JSON":           {`hello`, "a value is expected"},
		"cut off":            {`{"batch":[{"type":"track"`, "batch[0].type"},
		"NaN":                {`{"batch":[{"type":"track","properties":{"price":NaN}}]}`, "NaN is not a JSON value at byte 48, in batch[0].properties.price"},
		"trailing comma":     {`{"batch":[],}`, "the name of a member"},
		"text behind":        {`{"batch":[]} x`, "more text"},
		"unclosed":           {`{"batch":["`, "within a string"},
		"control":            {"{\"a\":\"\x01\"}", "control"},
		"leading zero":       {`{"a":01}`, "leading zero"},
		"nested without end": {strings.Repeat(`{"a":`, 300) + `1` + strings.Repeat(`}`, 300), "deeper than 256"},
	}
	for name, tc := range broken {
		var c Call
		err := c.Parse(tc.body, Batch, received)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: error %v does not say %q", name, err, tc.says)
		}
	}
	wrong := map[string]struct{ body, field string }{
		"an array":      {`[]`, ""},
		"no batch":      {`{}`, "batch"},
		"batch no list": {`{"batch":{}}`, "batch"},
		"nothing in it": {`{"batch":[]}`, "batch"},
		"too many":      {`{"batch":[` + many + `]}`, "batch"},
		"sentAt":        {`{"batch":[{"type":"track","event":"E","userId":"u"}],"sentAt":"soon"}`, "sentAt"},
		"context":       {`{"batch":[{"type":"track","event":"E","userId":"u"}],"context":[]}`, "context"},
	}
	for name, tc := range wrong {
		var c Call
		err := c.Parse(tc.body, Batch, received)
		var invalid problem.Invalid
		if !errors.As(err, &invalid) || invalid[0].Field != tc.field {
			t.Errorf("%s: error %v does not name %q", name, err, tc.field)
		}
	}
}

func TestParseSingleCallChecksItsType(t *testing.T) {
	t.Parallel()
	c := parse(t, `{"type":"identify","userId":"u"}`, Track)
	if len(c.Rejected) != 1 || c.Rejected[0].Errors[0].Field != "type" {
		t.Fatalf("%+v", c)
	}
}

// numbersOf is the independent definition of what a message's numbers are.
func numbersOf(prefix string, value any, into map[string]float64) {
	members, _ := value.(map[string]any)
	for name, v := range members {
		if prefix != "" {
			name = prefix + "." + name
		} else if name == "decisionId" || name == "decision_id" {
			continue
		}
		switch v := v.(type) {
		case float64:
			if len(name) <= MaxEventName {
				into[name] = v
			}
		case map[string]any:
			numbersOf(name, v, into)
		}
	}
}

func depthOf(text string) int {
	depth, deepest := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}

// FuzzParse compares with encoding/json: a call is refused as no JSON exactly
// when it is not, and what is kept is valid, compact and has the numbers that
// decoding it gives.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"batch":[{"type":"track","event":"E","userId":"u","properties":{"a":1,"b":{"c":-2.5e3,"d":[1,{"e":2}]}}}],"sentAt":"2026-01-01T00:00:00Z","context":{"a":1}}`,
		`{"batch":[{"type":"identify","userId":"u","traits":{"email":"a@b","x":"\u00e9\ud83d\ude00"}},5,{"type":"alias","previousId":"a","userId":"b"}]}`,
		`{"userId":"u","event":"E","properties":{"price":NaN}}`,
		`{"batch":[{"type":"group","userId":"u","groupId":"g","context":{"externalIds":[{"id":"1","type":"card"}]}}]}`,
		"{\"userId\":\"\xff\",\"event\":\"\\ud800\"}",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, body string, batch bool) {
		kind := Track
		if batch {
			kind = Batch
		}
		var c Call
		err := c.Parse(body, kind, received)
		var syntax *SyntaxError
		if valid := json.Valid([]byte(body)); errors.As(err, &syntax) == valid && depthOf(body) <= maxDepth {
			t.Fatalf("valid JSON %v, error %v", valid, err)
		}
		if err != nil {
			return
		}
		for _, m := range c.Messages {
			checkMessage(t, m)
		}
		for _, r := range c.Rejected {
			if len(r.Errors) == 0 {
				t.Fatal("rejected without a reason")
			}
		}
	})
}

func checkMessage(t *testing.T, m Message) {
	t.Helper()
	if m.UserID == "" && m.AnonymousID == "" && len(m.Others) == 0 {
		t.Fatalf("kept without an identifier: %+v", m)
	}
	if m.Event == "" || m.MessageID == "" || m.Time > received.UnixMilli() || m.Time < Earliest.UnixMilli() {
		t.Fatalf("kept incomplete: %+v", m)
	}
	for _, raw := range []string{m.Properties, m.Traits, m.Context} {
		if raw != "" && (!json.Valid([]byte(raw)) || !utf8.ValidString(raw) || raw[0] != '{') {
			t.Fatalf("kept %q", raw)
		}
	}
	if m.Properties == "" || len(m.Numbers) == MaxNumbers {
		return
	}
	var properties map[string]any
	if err := json.Unmarshal([]byte(m.Properties), &properties); err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{}
	numbersOf("", properties, want)
	got := map[string]float64{}
	for _, n := range m.Numbers {
		got[n.Path] = n.Value
	}
	for path, value := range want {
		if got[path] != value {
			t.Fatalf("%s: number %s is %v, want %v", m.Properties, path, got[path], value)
		}
	}
}

func BenchmarkParseBatch(b *testing.B) {
	message := `{"type":"track","userId":"user-123456","anonymousId":"5f0c7c1e-7d0b-4f7e-8f52-1f4f6f2d1c11","messageId":"0190a7f2-7d0b-4f7e-8f52-1f4f6f2d1c11","event":"Product Viewed","timestamp":"2026-02-01T10:00:00.250Z","properties":{"product_id":"sku-42","category":"Shoes","price":59.9,"currency":"EUR","position":3},"context":{"ip":"10.0.0.1","locale":"en-GB"}}`
	body := `{"batch":[` + strings.TrimSuffix(strings.Repeat(message+",", 100), ",") + `],"sentAt":"2026-02-01T10:00:01Z"}`
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var c Call
	for b.Loop() {
		if err := c.Parse(body, Batch, received); err != nil || len(c.Messages) != 100 {
			b.Fatal(err, c.Rejected)
		}
	}
}
