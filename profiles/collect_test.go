package profiles

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"quintet/internal/stream"
)

// as makes a call as some client does; header holds names and values in turn.
func (b *bed) as(method, path, body string, header ...string) (int, string, http.Header) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, string(content), response.Header
}

func zipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return out.String()
}

// Every way in which the clients of the four families send an event ends in one
// row with the right person, type, name and time.
func TestEveryWayIn(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	const at = "2026-01-02T10:00:00.000Z"
	in64 := base64.StdEncoding.EncodeToString
	cases := []struct {
		name, method, path, body string
		header                   []string
		kind, event, user        string
		anonymous                string
	}{
		{"one letter, key in the body, plain text", "POST", "/v1/t", `{"writeKey":"good","event":"E","userId":"u","messageId":"M","timestamp":"` + at + `"}`, []string{"Content-Type", "text/plain"}, "track", "E", "u", ""},
		{"identify in a letter", "POST", "/v1/i", `{"writeKey":"good","userId":"u","messageId":"M","timestamp":"` + at + `","traits":{"Email":"U@Example.org"}}`, nil, "identify", "$identify", "u", ""},
		{"page in a letter", "POST", "/v1/p", `{"writeKey":"good","anonymousId":"a","messageId":"M","timestamp":"` + at + `","name":"Home"}`, nil, "page", "$page", "", "a"},
		{"screen in a letter", "POST", "/v1/s", `{"writeKey":"good","anonymousId":"a","messageId":"M","timestamp":"` + at + `","name":"Home"}`, nil, "screen", "$screen", "", "a"},
		{"group in a letter", "POST", "/v1/g", `{"writeKey":"good","userId":"u","groupId":"g","messageId":"M","timestamp":"` + at + `"}`, nil, "group", "$group", "u", ""},
		{"alias in a letter", "POST", "/v1/a", `{"writeKey":"good","userId":"u","previousId":"a","messageId":"M","timestamp":"` + at + `"}`, nil, "alias", "$alias", "u", "a"},
		{"batch in a letter", "POST", "/v1/b", `{"writeKey":"good","batch":[{"type":"track","event":"E","userId":"u","messageId":"M","timestamp":"` + at + `"}]}`, nil, "track", "E", "u", ""},
		{"snake case", "POST", "/v1/batch", `{"write_key":"good","batch":[{"type":"track","event":"E","user_id":"u","anonymous_id":"a","message_id":"M","timestamp":"` + at + `"}]}`, nil, "track", "E", "u", "a"},
		{"form type and gzip", "POST", "/v1/batch", zipped(`{"batch":[{"type":"track","event":"E","userId":"u","messageId":"M","originalTimestamp":"` + at + `"}]}`), []string{"Authorization", "Bearer good", "Content-Type", "application/x-www-form-urlencoded", "Content-Encoding", "gzip"}, "track", "E", "u", ""},
		{"a token of OAuth and a key in the body", "POST", "/v1/track", `{"writeKey":"good","event":"E","userId":"u","messageId":"M","timestamp":"` + at + `"}`, []string{"Authorization", "Bearer aaa.bbb.ccc"}, "track", "E", "u", ""},
		{"RudderStack for Go", "POST", "/v1/batch", `{"batch":[{"type":"track","event":"E","userId":"u","anonymousId":"junk","channel":"server","messageId":"M","originalTimestamp":"` + at + `","context":{"library":{"name":"analytics-go","version":"1"}}}]}`, []string{"Authorization", "Bearer good", "Rs-Nodecount", "1"}, "track", "E", "u", ""},
		{"Segment for Go keeps the anonymousId", "POST", "/v1/batch", `{"batch":[{"type":"track","event":"E","userId":"u","anonymousId":"a","messageId":"M","timestamp":"` + at + `"}],"context":{"library":{"name":"analytics-go","version":"3"}}}`, []string{"Authorization", "Bearer good"}, "track", "E", "u", "a"},
		{"RudderStack's beacon", "POST", "/beacon/v1/batch?writeKey=good", `{"batch":[{"type":"track","event":"E","anonymousId":"a","messageId":"M","timestamp":"` + at + `"}]}`, []string{"Content-Type", "text/plain"}, "track", "E", "", "a"},
		{"RudderStack's import", "POST", "/v1/import", `{"batch":[{"type":"track","event":"E","userId":"u","messageId":"M","timestamp":"` + at + `"}]}`, []string{"Authorization", "Bearer good"}, "track", "E", "u", ""},
		{"RudderStack's pixel", "GET", "/pixel/v1/track?writeKey=good&anonymousId=a&event=Mail+Opened&messageId=M&timestamp=" + at + "&properties.mail=42", "", nil, "track", "Mail Opened", "", "a"},
		{"RudderStack's page pixel", "GET", "/pixel/v1/page?writeKey=good&anonymousId=a&name=Home&messageId=M&timestamp=" + at, "", nil, "page", "$page", "", "a"},
		{"Jitsu", "POST", "/api/s/track", `{"type":"track","event":"E","anonymousId":"a","messageId":"M","timestamp":"` + at + `"}`, []string{"Authorization", "Bearer good"}, "track", "E", "", "a"},
		{"Jitsu from a server", "POST", "/api/s/s2s/page", `{"type":"page","anonymousId":"a","messageId":"M","timestamp":"` + at + `"}`, []string{"Authorization", "Bearer good"}, "page", "$page", "", "a"},
		{"Jitsu's pixel", "GET", "/api/px/track?writeKey=good&event=E&data=" + url.QueryEscape(in64([]byte(`{"anonymousId":"a","messageId":"M","timestamp":"`+at+`","properties":{"price":1.5}}`))), "", nil, "track", "E", "", "a"},
		{"PostHog's batch", "POST", "/batch/", `{"api_key":"good","batch":[{"event":"E","distinct_id":"u","uuid":"M","timestamp":"` + at + `","properties":{"$lib":"posthog-node"}}]}`, nil, "track", "E", "u", ""},
		{"PostHog's capture", "POST", "/capture/", `{"api_key":"good","event":"E","properties":{"distinct_id":"u"},"uuid":"M","timestamp":"` + at + `"}`, nil, "track", "E", "u", ""},
		{"PostHog in a form", "POST", "/e/", "data=" + url.QueryEscape(in64([]byte(`[{"event":"E","uuid":"M","timestamp":"`+at+`","properties":{"token":"good","distinct_id":"d","$device_id":"d"}}]`))), []string{"Content-Type", "application/x-www-form-urlencoded"}, "track", "E", "", "d"},
		{"PostHog with gzip in the address only", "POST", "/i/v0/e/?compression=gzip-js", zipped(`{"token":"good","event":"$pageview","distinct_id":"d","uuid":"M","timestamp":"` + at + `","properties":{"$is_identified":false,"$current_url":"https://example.org/"}}`), []string{"Content-Type", "text/plain"}, "page", "$page", "", "d"},
		{"PostHog's screen", "POST", "/batch", `{"api_key":"good","batch":[{"event":"$screen","distinct_id":7,"uuid":"M","timestamp":"` + at + `","properties":{"$screen_name":"Home"}}]}`, nil, "screen", "$screen", "7", ""},
		{"PostHog's identify", "POST", "/batch", `{"api_key":"good","batch":[{"event":"$identify","distinct_id":"u","uuid":"M","timestamp":"` + at + `","properties":{"$anon_distinct_id":"a","$set":{"plan":"paid"}}}]}`, nil, "identify", "$identify", "u", "a"},
		{"PostHog's alias", "POST", "/batch", `{"api_key":"good","batch":[{"event":"$create_alias","distinct_id":"u","uuid":"M","timestamp":"` + at + `","properties":{"distinct_id":"u","alias":"old"}}]}`, nil, "alias", "$alias", "u", "old"},
		{"PostHog's group", "POST", "/batch", `{"api_key":"good","batch":[{"event":"$groupidentify","distinct_id":"u","uuid":"M","timestamp":"` + at + `","properties":{"$group_type":"company","$group_key":"acme","$group_set":{"size":5}}}]}`, nil, "group", "$group", "u", ""},
	}
	for i := range cases {
		// A person and an id of its own for every case.
		c, n := &cases[i], string(rune('a'+i/26))+string(rune('a'+i%26))
		own := strings.NewReplacer(`"u"`, `"u`+n+`"`, `"a"`, `"a`+n+`"`, `"d"`, `"d`+n+`"`, `"old"`, `"old`+n+`"`, `"M"`, `"M`+n+`"`, "=a&", "=a"+n+"&", "=M&", "=M"+n+"&")
		body := c.body
		switch {
		case strings.HasPrefix(body, "\x1f\x8b"):
			in, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			body = zipped(own.Replace(string(plain)))
		case strings.HasPrefix(body, "data="):
			packed, _ := url.QueryUnescape(body[5:])
			plain, err := base64.StdEncoding.DecodeString(packed)
			if err != nil {
				t.Fatal(err)
			}
			body = "data=" + url.QueryEscape(in64([]byte(own.Replace(string(plain)))))
		default:
			body = own.Replace(body)
		}
		path := own.Replace(c.path)
		if before, packed, found := strings.Cut(c.path, "&data="); found {
			packed, _ = url.QueryUnescape(packed)
			plain, err := base64.StdEncoding.DecodeString(packed)
			if err != nil {
				t.Fatal(err)
			}
			path = before + "&data=" + url.QueryEscape(in64([]byte(own.Replace(string(plain)))))
		}
		for again := range 2 { // the second is a repeat and changes nothing
			status, answer, header := b.as(c.method, path, body, c.header...)
			if status != 200 || header.Get("Access-Control-Allow-Origin") != "*" || header.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
				t.Fatalf("%s, %d: %d %s %v", c.name, again, status, answer, header)
			}
			if c.method == "GET" && header.Get("Content-Type") != "image/gif" {
				t.Errorf("%s: answered %s", c.name, header.Get("Content-Type"))
			}
		}
		for _, field := range []*string{&c.user, &c.anonymous} {
			if *field != "" && *field != "7" {
				*field += n
			}
		}
		c.name, c.body = c.name+" ("+n+")", "M"+n
	}
	b.flush()
	for _, c := range cases {
		if n := b.count(`SELECT count() FROM events WHERE message_id = ? AND type = ? AND event = ? AND user_id = ? AND anonymous_id = ?
			AND (timestamp = '2026-01-02 10:00:00.000')`, c.body, c.kind, c.event, c.user, c.anonymous); n != 1 {
			t.Errorf("%s: %d rows", c.name, n)
		}
	}
	if n := b.count("SELECT count() FROM events"); n != uint64(len(cases)) {
		t.Errorf("%d rows of %d events", n, len(cases))
	}
	if n := b.count("SELECT count() FROM events WHERE event = '$page' AND JSONExtractString(properties, 'url') = 'https://example.org/'"); n != 1 {
		t.Errorf("the address of %d pages", n)
	}
	if n := b.count("SELECT count() FROM events WHERE event = '$screen' AND JSONExtractString(properties, 'name') = 'Home'"); n != 2 {
		t.Errorf("the names of %d screens", n)
	}
}

// Jitsu and PostHog say what is wrong under the names of their own fields, and
// keep what is right.
func TestOtherFamiliesNameTheirFields(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	status, answer, _ := b.as("POST", "/batch/", `{"api_key":"good","batch":[{"event":"E","distinct_id":"u"},{"event":"E"},{"distinct_id":"u"},7,{"event":"$create_alias","distinct_id":"u"},{"event":"$identify","distinct_id":"u","properties":{"$set":5}}]}`)
	var out IngestResult
	if err := json.Unmarshal([]byte(answer), &out); err != nil || status != 200 || out.Accepted != 1 || len(out.Rejected) != 5 {
		t.Fatalf("%d %s", status, answer)
	}
	for i, want := range []string{"body.batch[1].distinct_id", "body.batch[2].event", "body.batch[3]", "body.batch[4].properties.alias", "body.batch[5].properties.$set"} {
		if got := out.Rejected[i].Errors[0].Location; out.Rejected[i].Index != i+1 || got != want {
			t.Errorf("rejected %d at %s, want %s", out.Rejected[i].Index, got, want)
		}
	}
	many := strings.TrimSuffix(strings.Repeat(`{"event":"E","distinct_id":"u"},`, 2501), ",")
	large := strings.Repeat("x", 50_000)
	for _, c := range []struct {
		name, path, body string
		status           int
		says             string
		header           []string
	}{
		{"2,501 events", "/batch/", `{"api_key":"good","batch":[` + many + `]}`, 422, "must not hold more than 2500 messages", nil},
		{"2,501 events without a batch", "/e/", `[` + strings.Replace(many, `"u"`, `"u","token":"good"`, 1) + `]`, 422, "must not hold more than 2500 messages", nil},
		{"no events", "/batch/", `{"api_key":"good","batch":[]}`, 422, "at least one", nil},
		{"no key", "/batch/", `{"batch":[]}`, 401, "API key", nil},
		{"a wrong key", "/batch/", `{"api_key":"bad","batch":[]}`, 401, "", nil},
		{"no JSON", "/batch/", `{"api_key":"good","batch":[`, 400, "JSON", []string{"Authorization", "Bearer good"}},
		{"a number", "/batch/", `5`, 422, "object or array", []string{"Authorization", "Bearer good"}},
		{"broken base64", "/e/", `data=%%%`, 422, "form", nil},
		{"an event of 50 kB from RudderStack", "/v1/batch", `{"batch":[{"type":"track","event":"E","userId":"u","properties":{"x":"` + large + `"}}]}`, 200, "", []string{"Authorization", "Bearer good", "AnonymousId", "eA=="}},
		{"an event of 50 kB from Segment", "/v1/batch", `{"batch":[{"type":"track","event":"E","userId":"u","properties":{"x":"` + large + `"}}]}`, 422, "must not be larger than 32768 bytes", []string{"Authorization", "Bearer good"}},
		{"a call of 600 kB from Segment", "/v1/batch", strings.Repeat(" ", 600<<10), 413, "", []string{"Authorization", "Bearer good"}},
		{"a type that is none", "/api/s/dance", `{}`, 404, "track, identify", []string{"Authorization", "Bearer good"}},
		{"a pixel without a person", "/api/px/track?writeKey=good&event=E", ``, 422, "userId", nil},
		{"a pixel that contradicts itself", "/api/px/track?writeKey=good&event=E&properties=1&properties.x=2", ``, 422, "value of its own", nil},
		{"a pixel of many parameters", "/api/px/track?writeKey=good&" + strings.Repeat("a=1&", 3) + strings.Repeat("properties.x=1&", 2) + many200(), ``, 422, "200 parameters", nil},
	} {
		status, answer, header := b.as("POST", c.path, c.body, c.header...)
		if status != c.status || !strings.Contains(answer, c.says) || header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %.300s, want %d with %q", c.name, status, answer, c.status, c.says)
		}
	}
}

func many200() string {
	var b strings.Builder
	for i := range 201 {
		b.WriteString("properties.p" + string(rune('a'+i%26)) + strings.Repeat("x", i/26) + "=1&")
	}
	return b.String()
}

func TestWhatBrowsersAsk(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	for _, path := range []string{"/v1/t", "/v1/batch", "/v1/m", "/api/s/track", "/batch/", "/e/", "/flags/", "/beacon/v1/batch", "/v1/projects/good/settings"} {
		status, _, header := b.as("OPTIONS", path, "", "Origin", "https://shop.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-own")
		if status != 204 || header.Get("Access-Control-Allow-Origin") != "*" || header.Get("Access-Control-Allow-Headers") != "content-type,x-own" ||
			!strings.Contains(header.Get("Access-Control-Allow-Methods"), "POST") || header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", path, status, header)
		}
	}
	// Only these are open to other sites.
	if _, _, header := b.as("GET", "/v1/profiles", "", "Authorization", "Bearer good"); header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("profiles can be read by any site")
	}
	status, answer, _ := b.as("GET", "/v1/projects/good/settings", "")
	var settings struct {
		Integrations map[string]struct{ APIKey, APIHost, Protocol string }
	}
	if err := json.Unmarshal([]byte(answer), &settings); err != nil || status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if s := settings.Integrations["Segment.io"]; s.APIKey != "good" || s.APIHost != strings.TrimPrefix(b.server.URL, "http://")+"/v1" || s.Protocol != "http" {
		t.Errorf("settings %+v", s)
	}
	for path, want := range map[string]int{"/v1/projects/bad/settings": 401, "/v1/projects/reader/settings": 403, "/health": 200, "/version": 200} {
		if status, answer, _ := b.as("GET", path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	if status, answer, _ := b.as("POST", "/v1/m", `{"series":[]}`, "Content-Type", "text/plain"); status != 200 {
		t.Errorf("counts: %d %s", status, answer)
	}
	if status, answer, _ := b.as("POST", "/flags/?v=2", `{"token":"good","distinct_id":"u"}`); status != 200 || !strings.Contains(answer, `"flags":{}`) {
		t.Errorf("flags: %d %s", status, answer)
	}
	// A signed-in manager who looks at the shop is not the shop.
	if status, answer, _ := b.as("POST", "/v1/t", `{"writeKey":"good","event":"E","anonymousId":"a"}`, "Cookie", "quintet_session=x", "Sec-Fetch-Site", "cross-site"); status != 200 {
		t.Errorf("with a cookie from another site: %d %s", status, answer)
	}
}

// $set_once counts where the person has no such trait.
func TestSetOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	for i, set := range []string{
		`"$set":{"plan":"free"},"$set_once":{"first":"ad","plan":"none"}`, `"$set_once":{"first":"mail","city":"Perm"}`,
	} {
		body := `{"api_key":"good","batch":[{"event":"Signed Up","distinct_id":"u","uuid":"m` + string(rune('0'+i)) + `","properties":{` + set + `}}]}`
		if status, answer, _ := b.as("POST", "/batch/", body); status != 200 || !strings.Contains(answer, `"accepted":2`) {
			t.Fatalf("%d %s", status, answer)
		}
		b.flush()
	}
	_, p := b.call("GET", "/v1/profiles/userId:u", "")
	traits, _ := p["traits"].(map[string]any)
	if traits["plan"] != "free" || traits["first"] != "ad" || traits["city"] != "Perm" {
		t.Errorf("traits %v", traits)
	}
}
