package flags_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"quintet/experiments"
	"quintet/experiments/flags"
	"quintet/experiments/growthbook"
	"quintet/experiments/growthbook/backend"
	"quintet/experiments/ofrep"
	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/internal/problem"
)

// payloadKey encrypts for the key "secret".
const payloadKey = "Zvwv/+uhpFDznZ6SX28Yjg=="

// byName lets callers in by keys that are named like scopes; "secret" is a client key
// with encryption.
type byName struct{}

func (b byName) Authenticate(r *http.Request) (api.Principal, error) {
	secret := r.Header.Get("X-API-Key")
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		secret = token
	}
	return b.Lookup(secret)
}

func (byName) Lookup(secret string) (api.Principal, error) {
	switch secret {
	case "flags", "read", "admin":
		return api.Principal{ID: secret, Name: secret, Kind: "key", Scopes: []api.Scope{api.Scope(secret)}}, nil
	case "secret":
		return api.Principal{ID: secret, Name: secret, Kind: "key", Scopes: []api.Scope{api.ScopeFlags}, PayloadKey: payloadKey}, nil
	}
	return api.Principal{}, problem.Unauthorized("The API key is not valid.")
}

// kept counts exposures, and fails when told to.
type kept struct {
	mu      sync.Mutex
	records []flags.Record
	fails   bool
}

func (k *kept) RecordExposures(_ context.Context, records []flags.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails {
		return errors.New("the stream is full")
	}
	k.records = append(k.records, records...)
	return nil
}

func (k *kept) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.records)
}

type world struct {
	t       testing.TB
	flags   *flags.Service
	trials  *experiments.Service
	server  *api.Server
	records *kept
}

// open gives flags on a database of the test's own.
func open(t testing.TB) *world {
	t.Helper()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations()); err != nil {
		t.Fatal(err)
	}
	store, err := definitions.Open(t.Context(), pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, records: new(kept)}
	if w.trials, err = experiments.Open(t.Context(), experiments.Deps{Logger: enginetest.Logger(t), Definitions: store}); err != nil {
		t.Fatal(err)
	}
	if w.flags, err = flags.Open(t.Context(), flags.Deps{Logger: enginetest.Logger(t), Definitions: store, Experiments: w.trials, Recorder: w.records}); err != nil {
		t.Fatal(err)
	}
	w.server = api.New(api.Options{Logger: enginetest.Logger(t), Auth: byName{}})
	w.flags.Routes(w.server)
	ofrep.Open(ofrep.Deps{Logger: enginetest.Logger(t), Flags: w.flags, Keys: byName{}}).Routes(w.server)
	backend.Open(backend.Deps{Logger: enginetest.Logger(t), Flags: w.flags, Keys: byName{}}).Routes(w.server)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.flags.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("running flags: %v", err)
		}
	})
	var e experiments.Experiment
	if err := json.Unmarshal([]byte(`{"unit": "userId", "hash": "growthbook", "variants": [{"key": "a", "weight": 0.5, "control": true}, {"key": "b", "weight": 0.5}]}`), &e); err != nil {
		t.Fatal(err)
	}
	if _, err := w.trials.Definitions().Put(t.Context(), "halves", e, "me", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.trials.Start(t.Context(), "halves", "me"); err != nil {
		t.Fatal(err)
	}
	w.put("plain", `{"type": "boolean", "default": true}`)
	w.put("off", `{"type": "boolean", "default": true, "enabled": false}`)
	w.put("split", `{"type": "string", "default": "d", "rules": [{"key": "r", "experiment": "halves", "values": {"a": "A", "b": "B"}}]}`)
	w.put("seen", `{"type": "string", "default": "d", "exposures": "tracking", "rules": [{"key": "r", "experiment": "halves", "values": {"a": "A", "b": "B"}}]}`)
	w.put("country", `{"type": "number", "default": 1, "rules": [{"key": "r", "value": 2, "condition": {"country": "at"}}]}`)
	return w
}

func (w *world) put(key, source string) {
	w.t.Helper()
	if err := w.try(key, source); err != nil {
		w.t.Fatalf("%s: %v", key, err)
	}
}

func (w *world) try(key, source string) error {
	var f flags.Flag
	if err := json.Unmarshal([]byte(source), &f); err != nil {
		w.t.Fatal(err)
	}
	_, err := w.flags.Definitions().Put(context.WithoutCancel(w.t.Context()), key, f, "me", 0)
	return err
}

// ask sends a request; header holds names and values in turn.
func (w *world) ask(method, path, body string, header ...string) *http.Response {
	w.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.server.Router.ServeHTTP(rec, r)
	return rec.Result()
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const (
	bulk = "/ofrep/v1/evaluate/flags"
	user = `{"context": {"targetingKey": "u1", "country": "at"}}`
)

func TestOpenFeature(t *testing.T) {
	t.Parallel()
	w := open(t)
	long := strings.Repeat("x", 300)
	many := `{"context": {"targetingKey": "u"`
	for i := range 201 {
		many += fmt.Sprintf(`, "f%d": 1`, i)
	}
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/plain", user, 200, `{"key":"plain","value":true,"reason":"STATIC","metadata":{"flagVersion":1}}`},
		{"/plain", `{"context": {}}`, 200, `"value":true`},
		{"/off", user, 200, `{"key":"off","reason":"DISABLED","metadata":{"flagVersion":1}}`},
		{"/country", user, 200, `{"key":"country","value":2,"reason":"TARGETING_MATCH","variant":"r","metadata":{"flagVersion":1,"rule":"r"}}`},
		{"/country", `{"context": {"targetingKey": "u1"}}`, 200, `"value":1,"reason":"UNKNOWN"`},
		{"/split", user, 200, `"experiment":"halves"`},
		{"/split", `{"context": {"country": "at"}}`, 400, `{"key":"split","errorCode":"TARGETING_KEY_MISSING"`},
		{"/split", `{"context": {"targetingKey": ""}}`, 400, `"errorCode":"TARGETING_KEY_MISSING"`},
		{"/split", `{"context": {"targetingKey": 5}}`, 400, `"errorCode":"INVALID_CONTEXT"`},
		{"/split", `{"context": {"targetingKey": "` + long + `"}}`, 400, `"errorCode":"INVALID_CONTEXT"`},
		{"/split", many + `}}`, 400, `"errorCode":"INVALID_CONTEXT"`},
		{"/split", `{}`, 400, `"errorCode":"INVALID_CONTEXT"`},
		{"/split", `{"context": null}`, 400, `"errorCode":"INVALID_CONTEXT"`},
		{"/split", `{"context": []}`, 400, `"errorCode":"PARSE_ERROR"`},
		{"/split", `{"context":`, 400, `{"key":"split","errorCode":"PARSE_ERROR"`},
		{"/split", `[]`, 400, `"errorCode":"PARSE_ERROR"`},
		{"/split", ``, 400, `"errorCode":"PARSE_ERROR"`},
		{"/split", `{"context": {"targetingKey": "u", "n": 1e999}}`, 400, `"errorCode":"PARSE_ERROR"`},
		{"/split", `{"context": {"targetingKey": "` + strings.Repeat("x", 70_000) + `"}}`, 400, `"errorCode":"PARSE_ERROR"`},
		{"/none", user, 404, `{"key":"none","errorCode":"FLAG_NOT_FOUND"`},
		{"/" + long, user, 404, `"errorCode":"FLAG_NOT_FOUND"`},
		{"", `{"context": 5}`, 400, `{"errorCode":"PARSE_ERROR"`},
	} {
		for _, header := range [][]string{{"Authorization", "Bearer flags"}, {"X-API-Key", "flags"}} {
			r := w.ask("POST", bulk+c.path, c.body, header...)
			if body := text(t, r); r.StatusCode != c.status || !strings.Contains(body, c.want) || !json.Valid([]byte(body)) || r.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s with %.80s: %d %s", c.path, c.body, r.StatusCode, body)
			}
		}
	}
	for _, path := range []string{bulk, bulk + "/plain", "/ofrep/v1/track"} {
		if r := w.ask("POST", path, user); r.StatusCode != 401 {
			t.Errorf("%s without a key: %d", path, r.StatusCode)
		}
		if r := w.ask("POST", path, user, "X-API-Key", "read"); r.StatusCode != 403 {
			t.Errorf("%s with another scope: %d", path, r.StatusCode)
		}
		if r := w.ask("OPTIONS", path, "", "Origin", "https://shop.example.org"); r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Headers") == "" {
			t.Errorf("%s asked by a browser: %d", path, r.StatusCode)
		}
	}
}

// The ETag depends on flags and on who asks.
func TestBulk(t *testing.T) {
	t.Parallel()
	w := open(t)
	ask := func(body string, header ...string) (*http.Response, string) {
		r := w.ask("POST", bulk, body, append(header, "X-API-Key", "flags")...)
		return r, text(t, r)
	}
	first, body := ask(user)
	tag := first.Header.Get("ETag")
	var out struct {
		Flags []struct {
			Key, ErrorCode string
			Value          any
		}
		EventStreams []struct {
			Type               string
			Endpoint           struct{ RequestURI string }
			InactivityDelaySec int
		}
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil || len(out.Flags) != 5 || len(out.EventStreams) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	if s := out.EventStreams[0]; s.Type != "sse" || s.Endpoint.RequestURI != "/ofrep/v1/stream/flags" || s.InactivityDelaySec != 120 {
		t.Errorf("%+v", s)
	}
	for _, header := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		if r, body := ask(user, "If-None-Match", header); r.StatusCode != 304 || body != "" || r.Header.Get("ETag") != tag {
			t.Errorf("%s: %d %q", header, r.StatusCode, body)
		}
	}
	if r, _ := ask(`{"context": {"targetingKey": "u1", "country": "de"}}`, "If-None-Match", tag); r.StatusCode != 200 || r.Header.Get("ETag") == tag {
		t.Errorf("another context: %d", r.StatusCode)
	}
	if _, body := ask(`{"context": {}}`); !strings.Contains(body, `{"key":"split","errorCode":"TARGETING_KEY_MISSING"}`) || !strings.Contains(body, `"key":"plain","value":true`) {
		t.Errorf("without a key: %s", body)
	}
	w.put("plain", `{"type": "boolean", "default": false}`)
	if r, _ := ask(user, "If-None-Match", tag); r.StatusCode != 200 || r.Header.Get("ETag") == tag {
		t.Errorf("after a change: %d", r.StatusCode)
	}
}

// Whoever polls is recorded once, and what cannot be recorded costs nobody a value.
func TestExposuresAreRecordedOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				if r := w.ask("POST", bulk, user, "X-API-Key", "flags"); r.StatusCode != 200 {
					t.Errorf("status %d", r.StatusCode)
				}
			}
		})
	}
	all.Wait()
	ids := map[string]bool{}
	w.records.mu.Lock()
	for _, r := range w.records.records {
		ids[r.ID] = true
		if r.UserID != "u1" || r.Experiment != "halves" || r.Flag != "split" {
			t.Errorf("%+v", r)
		}
	}
	w.records.mu.Unlock()
	if len(ids) != 1 || w.records.count() > 4 {
		t.Errorf("%d exposures of %d", w.records.count(), len(ids))
	}
	w.records.fails = true
	other := strings.Replace(user, "u1", "u2", 1)
	if r := w.ask("POST", bulk+"/split", other, "X-API-Key", "flags"); r.StatusCode != 200 || !strings.Contains(text(t, r), `"reason":"SPLIT"`) {
		t.Errorf("while nothing can be recorded: %d", r.StatusCode)
	}
	before := w.records.count()
	w.records.fails = false
	w.ask("POST", bulk+"/split", other, "X-API-Key", "flags")
	if w.records.count() != before+1 {
		t.Errorf("the exposure was not recorded when it came again: %d and %d", before, w.records.count())
	}
}

func TestTrack(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, c := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"context": {"targetingKey": "u1"}, "exposures": [{"flag": "seen"}, {"flag": "plain"}]}`, 200, `{"exposures":1}`},
		{`{"context": {"targetingKey": "u9"}, "exposures": [{"flag": "seen", "variant": "a"}]}`, 200, `{"exposures":1}`},
		{`{"context": {"targetingKey": "u9"}, "exposures": [{"flag": "seen", "variant": "z"}]}`, 422, "exposures[0].variant"},
		{`{"context": {"targetingKey": "u1"}, "exposures": [{"flag": "none"}]}`, 422, "exposures[0].flag"},
		{`{"context": {"targetingKey": "u1"}, "exposures": []}`, 422, "exposures"},
		{`{"context": {}, "exposures": [{"flag": "seen"}]}`, 422, "context.targetingKey"},
		{`{"context": {"targetingKey": 5}, "exposures": [{"flag": "seen"}]}`, 422, "context"},
		{`{"exposures": [{"flag": "seen"}]}`, 422, "context"},
		{`{"context": {"targetingKey": "u1"}, "exposures": {}}`, 422, "exposures"},
		{`{`, 400, "body"},
	} {
		r := w.ask("POST", "/ofrep/v1/track", c.body, "X-API-Key", "flags")
		if body := text(t, r); r.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", c.body, r.StatusCode, body)
		}
	}
	if n := w.records.count(); n != 2 || w.records.records[1].Variant != "a" {
		t.Errorf("%d exposures: %+v", n, w.records.records)
	}
	w.records.fails = true
	if r := w.ask("POST", "/ofrep/v1/track", `{"context": {"targetingKey": "u3"}, "exposures": [{"flag": "seen"}]}`, "X-API-Key", "flags"); r.StatusCode != 503 {
		t.Errorf("while nothing can be recorded: %d", r.StatusCode)
	}
}

func TestGrowthBookPayload(t *testing.T) {
	t.Parallel()
	w := open(t)
	r := w.ask("GET", "/api/features/flags", "")
	body := text(t, r)
	var p growthbook.Payload
	if err := json.Unmarshal([]byte(body), &p); err != nil || r.StatusCode != 200 || p.Status != 200 || len(p.Features) != 4 || p.Features["off"] != nil {
		t.Fatalf("%d, %v: %s", r.StatusCode, err, body)
	}
	if r.Header.Get("Cache-Control") != "public, max-age=30, stale-while-revalidate=3600, stale-if-error=36000" || r.Header.Get("X-Sse-Support") != "enabled" || r.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%v", r.Header)
	}
	for _, again := range []string{text(t, w.ask("GET", "/api/features/secret", "")), text(t, w.ask("GET", "/api/features/secret", ""))} {
		var hidden growthbook.Payload
		if err := json.Unmarshal([]byte(again), &hidden); err != nil || len(hidden.Features) != 0 || strings.Contains(again, "country") || hidden.EncryptedSavedGroups == "" || hidden.EncryptedExperiments == "" || hidden.EncryptedContextualBandits == "" {
			t.Fatalf("%v: %s", err, again)
		}
		plain, err := growthbook.Decrypt(hidden.EncryptedFeatures, payloadKey)
		var inside map[string]*growthbook.Feature
		if err != nil || json.Unmarshal([]byte(plain), &inside) != nil || len(inside) != 4 {
			t.Errorf("%v: %s", err, plain)
		}
	}
	for _, c := range []struct{ method, path, body, unrecoverable string }{
		{"GET", "/api/features/nobody", "", "1"}, {"GET", "/api/features/read", "", "1"}, {"GET", "/api/features/admin", "", "1"}, {"GET", "/sub/admin", "", "1"}, {"GET", "/sub/nobody", "", "1"}, {"POST", "/api/eval/nobody", "{}", "1"},
		{"POST", "/api/eval/flags", "", ""}, {"POST", "/api/eval/flags", "[]", ""}, {"POST", "/api/eval/flags", `{"attributes": {"id": {}}}`, ""},
		{"POST", "/api/eval/flags", `{"attributes": {"id": "` + strings.Repeat("x", 300) + `"}}`, ""},
		{"POST", "/api/eval/flags", `{"forcedFeatures": [["a"]]}`, ""}, {"POST", "/api/eval/flags", `{"forcedFeatures": [[1, 2]]}`, ""},
		{"POST", "/api/eval/flags", `{"forcedVariations": {"a": "b"}}`, ""}, {"POST", "/api/eval/flags", `{"url": "` + strings.Repeat("x", 10_000) + `"}`, ""},
		{"POST", "/api/eval/flags", `{"url": "` + strings.Repeat("x", 300_000) + `"}`, ""},
	} {
		r := w.ask(c.method, c.path, c.body)
		var failure struct {
			Status int
			Error  string
		}
		if body := text(t, r); json.Unmarshal([]byte(body), &failure) != nil || r.StatusCode != 400 || failure.Status != 400 || failure.Error == "" || r.Header.Get("X-Unrecoverable") != c.unrecoverable {
			t.Errorf("%s %s %.60s: %d %v %s", c.method, c.path, c.body, r.StatusCode, r.Header, body)
		}
	}
}

func TestGrowthBookEval(t *testing.T) {
	t.Parallel()
	w := open(t)
	eval := func(body string) map[string]*growthbook.Feature {
		t.Helper()
		r := w.ask("POST", "/api/eval/flags", body)
		text := text(t, r)
		p := new(growthbook.Payload)
		if err := json.Unmarshal([]byte(text), p); err != nil || r.StatusCode != 200 || r.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d, %v: %s", r.StatusCode, err, text)
		}
		return p.Features
	}
	f := eval(`{"attributes": {"id": 5, "country": "at"}}`)
	split := f["split"]
	if string(f["country"].DefaultValue) != "2" || f["off"] != nil || len(split.Rules) != 1 || string(split.Rules[0].Force) != string(split.DefaultValue) {
		t.Fatalf("%+v", f)
	}
	track := split.Rules[0].Tracks[0]
	if track.Experiment.Key != "halves" || track.Result.HashValue != "5" || track.Result.HashAttribute != "id" || string(track.Result.Value) != string(split.DefaultValue) || len(track.Experiment.Variations) != 2 {
		t.Errorf("%+v, %+v", track.Experiment, track.Result)
	}
	if w.records.count() != 1 {
		t.Errorf("%d exposures", w.records.count())
	}
	f = eval(`{"attributes": {"id": "u"}, "forcedVariations": {"halves": 1}, "forcedFeatures": [["plain", {"x": 1}], ["none", 2]]}`)
	if string(f["split"].DefaultValue) != `"B"` || len(f["split"].Rules) != 0 || string(f["plain"].DefaultValue) != `{"x":1}` || f["none"] != nil {
		t.Errorf("%+v", f)
	}
	for index, want := range []string{`"A"`, `"B"`} {
		if f := eval(fmt.Sprintf(`{"attributes": {"id": "u"}, "url": "https://example.org/?halves=%d"}`, index)); string(f["split"].DefaultValue) != want {
			t.Errorf("%d: %s", index, f["split"].DefaultValue)
		}
	}
	if f := eval(`{}`); string(f["split"].DefaultValue) != `"d"` || string(f["plain"].DefaultValue) != "true" {
		t.Errorf("%+v", f)
	}
}

// A stream says what changed, and ends with the server.
func TestStreamsEndWithTheServer(t *testing.T) {
	t.Parallel()
	w := open(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.server.Run(ctx, listener, 5*time.Second) }()
	response, err := http.Get("http://" + listener.Addr().String() + "/sub/flags")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	next := func() string {
		t.Helper()
		if !lines.Scan() || lines.Text() != "event: features" || !lines.Scan() {
			t.Fatalf("%q, %v", lines.Text(), lines.Err())
		}
		data := lines.Text()
		lines.Scan() // the empty line
		return data
	}
	if data := next(); !strings.HasPrefix(data, `data: {`) || strings.Contains(data, `"new"`) {
		t.Error(data)
	}
	began := time.Now()
	w.put("new", `{"type": "boolean", "default": true}`)
	if data := next(); !strings.Contains(data, `"new"`) || time.Since(began) > time.Second {
		t.Errorf("%s after %s", data, time.Since(began))
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the server waits for its streams: %v", err)
	}
}

// What a flag refers to has to be there, and must not lead back.
func TestReferences(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, c := range []struct{ key, source, field string }{
		{"plain", `{"type": "string", "default": "x"}`, "type"},
		{"f", `{"type": "boolean", "default": true, "prerequisites": [{"flag": "none", "condition": {"value": true}}]}`, "prerequisites[0].flag"},
		{"f", `{"type": "boolean", "default": true, "holdouts": ["none"]}`, "holdouts[0]"},
		{"f", `{"type": "boolean", "default": true, "rules": [{"key": "r", "experiment": "none", "values": {"a": true}}]}`, "rules[0].experiment"},
		{"f", `{"type": "boolean", "default": true, "rules": [{"key": "r", "experiment": "halves", "values": {"z": true}}]}`, "rules[0].values.z"},
	} {
		var bad problem.Invalid
		if err := w.try(c.key, c.source); !errors.As(err, &bad) || bad[0].Field != c.field {
			t.Errorf("%s: %v", c.source, err)
		}
	}
	w.put("child", `{"type": "boolean", "default": true, "prerequisites": [{"flag": "plain", "condition": {"value": true}}], "rules": [{"key": "r", "value": true}]}`)
	var bad problem.Invalid
	if err := w.try("plain", `{"type": "boolean", "default": true, "prerequisites": [{"flag": "child", "condition": {"value": true}}]}`); !errors.As(err, &bad) || bad[0].Field != "prerequisites" {
		t.Errorf("a circle: %v", err)
	}
	// An experiment may not ask for a flag that asks for it.
	var loop experiments.Experiment
	if err := json.Unmarshal([]byte(`{"unit": "userId", "variants": [{"key": "a", "weight": 0.5, "control": true}, {"key": "b", "weight": 0.5}]}`), &loop); err != nil {
		t.Fatal(err)
	}
	if _, err := w.trials.Definitions().Put(t.Context(), "loop", loop, "me", 0); err != nil {
		t.Fatal(err)
	}
	w.put("asking", `{"type": "boolean", "default": true, "rules": [{"key": "r", "experiment": "loop", "values": {"a": true, "b": false}}]}`)
	loop.Prerequisites = []experiments.Prerequisite{{Flag: "asking", Variants: []string{"true"}}}
	if _, err := w.trials.Definitions().Put(t.Context(), "loop", loop, "me", 0); err == nil || !strings.Contains(err.Error(), "come back to loop") {
		t.Errorf("a circle by a flag: %v", err)
	}
	// An experiment may ask for a flag's value.
	var e experiments.Experiment
	if err := json.Unmarshal([]byte(`{"unit": "userId", "prerequisites": [{"flag": "plain", "variants": ["true"]}], "variants": [{"key": "a", "weight": 0.5, "control": true}, {"key": "b", "weight": 0.5}]}`), &e); err != nil {
		t.Fatal(err)
	}
	if _, err := w.trials.Definitions().Put(t.Context(), "after", e, "me", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.trials.Start(t.Context(), "after", "me"); err != nil {
		t.Fatal(err)
	}
	in := func() bool {
		return w.trials.Plan().Trial("after").Assign(flags.NewSubject("u1", nil, nil), time.Now()).In()
	}
	if !in() {
		t.Error("the flag is true, and nobody is in the experiment")
	}
	w.put("plain", `{"type": "boolean", "default": false}`)
	if in() {
		t.Error("the flag is false, and somebody is in the experiment")
	}
}

// A schedule takes effect by itself.
func TestSchedule(t *testing.T) {
	t.Parallel()
	w := open(t)
	at := time.Now().Add(300 * time.Millisecond).UTC().Format(time.RFC3339Nano)
	w.put("soon", `{"type": "boolean", "default": true, "startAt": "`+at+`"}`)
	value := func() string { return text(t, w.ask("POST", bulk+"/soon", user, "X-API-Key", "flags")) }
	if got := value(); !strings.Contains(got, "DISABLED") {
		t.Errorf("before: %s", got)
	}
	changed := w.flags.Changed()
	select {
	case <-changed:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing changed")
	}
	if got := value(); !strings.Contains(got, `"value":true`) {
		t.Errorf("after: %s", got)
	}
}

// Definitions change while flags are evaluated.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	w := open(t)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 50 {
				who := fmt.Sprintf(`{"context": {"targetingKey": "u%d-%d", "country": "at"}}`, i, n)
				for path, header := range map[string]string{bulk: "flags", bulk + "/split": "flags"} {
					if r := w.ask("POST", path, who, "X-API-Key", header); r.StatusCode != 200 {
						t.Errorf("%s: %d", path, r.StatusCode)
					}
				}
				w.ask("GET", "/api/features/secret", "")
			}
		})
	}
	all.Go(func() {
		for n := range 20 {
			if err := w.try("country", fmt.Sprintf(`{"type": "number", "default": %d}`, n)); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.put("people", `{"type": "string", "default": "d", "rules": [{"key": "r", "value": "v", "coverage": 0.5, "unit": "person"}]}`)
	for key, want := range map[string]string{"plain": `"local":true,"off":false,"why":[]`, "off": `"local":false,"off":true`, "people": `"why":["rule r takes a share of people`} {
		r := w.ask("GET", "/v1/flags/"+key+"/delivery", "", "X-API-Key", "read")
		if body := text(t, r); r.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", key, r.StatusCode, body)
		}
	}
	if r := w.ask("GET", "/v1/flags/none/delivery", "", "X-API-Key", "read"); r.StatusCode != 404 {
		t.Errorf("%d", r.StatusCode)
	}
}
