package profiles

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"quintet/internal/api"
	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/internal/problem"
	"quintet/internal/stream"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// keys knows two keys: "good" may ingest and read, "reader" may only read.
type keys struct{}

func (keys) Authenticate(r *http.Request) (api.Principal, error) {
	return keys{}.Lookup(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
}

func (keys) Lookup(secret string) (api.Principal, error) {
	switch secret {
	case "good":
		return api.Principal{ID: "key-1", Name: "good", Kind: "key", Scopes: []api.Scope{api.ScopeIngest, api.ScopeRead}}, nil
	case "crm":
		return api.Principal{ID: "key-crm", Name: "crm", Kind: "key", Scopes: []api.Scope{api.ScopeIngest}}, nil
	case "identity":
		return api.Principal{ID: "key-identity", Name: "identity", Kind: "key", Scopes: []api.Scope{api.ScopeIngest, api.ScopeIdentity}}, nil
	case "admin":
		return api.Principal{ID: "7", Name: "boss@example.org", Kind: "user", Scopes: api.Scopes()}, nil
	case "reader":
		return api.Principal{ID: "key-2", Name: "reader", Kind: "key", Scopes: []api.Scope{api.ScopeRead}}, nil
	}
	return api.Principal{}, problem.Unauthorized("Unknown key.")
}

// bed is a service on engines of its own.
type bed struct {
	t          testing.TB
	postgres   *pgxpool.Pool
	clickhouse *clickhouse.Database
	stream     *stream.Stream
	service    *Service
	server     *httptest.Server
	stop       func()
}

func newBed(t testing.TB, o stream.Options) *bed {
	t.Helper()
	b := &bed{t: t, postgres: enginetest.Postgres(t), clickhouse: enginetest.ClickHouse(t), stream: enginetest.StreamWith(t, o)}
	if err := postgres.Migrate(t.Context(), b.postgres, definitions.Migrations(), PostgresMigrations()); err != nil {
		t.Fatal(err)
	}
	// The table of exposures belongs to another package, which this one must not
	// import; its migrations are read as files.
	exposures := clickhouse.MigrationSet{Name: "experiments", Files: os.DirFS("../experiments/migrations/clickhouse")}
	if err := b.clickhouse.Migrate(t.Context(), exposures, ClickHouseMigrations()); err != nil {
		t.Fatal(err)
	}
	b.open()
	t.Cleanup(func() { b.stop() })
	return b
}

// open starts a service on the bed's engines; calling it again is a restart.
func (b *bed) open() {
	b.t.Helper()
	if b.stop != nil {
		b.stop()
	}
	defs, err := definitions.Open(b.t.Context(), b.postgres, enginetest.Logger(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	s, err := Open(b.t.Context(), Deps{
		Definitions: defs,
		Postgres:    b.postgres, ClickHouse: b.clickhouse, Stream: b.stream, Logger: enginetest.Logger(b.t), Registry: prometheus.NewRegistry(), Keys: keys{},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.service = s
	srv := api.New(api.Options{Auth: keys{}, Logger: enginetest.Logger(b.t)})
	s.Routes(srv)
	b.server = httptest.NewServer(srv.Router)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.stop = func() {
		b.server.Close()
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("running: %v", err)
		}
		b.stop = func() {}
	}
}

func (b *bed) flush() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	if err := b.service.Flush(ctx); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) call(method, path, body string) (int, map[string]any) {
	b.t.Helper()
	return b.callAs("good", method, path, body)
}

func (b *bed) callAs(key, method, path, body string) (int, map[string]any) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, bytes.NewBufferString(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
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
	var out map[string]any
	if err := json.Unmarshal(content, &out); err != nil {
		b.t.Fatalf("%s %s answered %d %q", method, path, response.StatusCode, content)
	}
	return response.StatusCode, out
}

func (b *bed) count(query string, args ...any) (n uint64) {
	b.t.Helper()
	if err := b.clickhouse.Read.QueryRow(b.t.Context(), query, args...).Scan(&n); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestWhatComesInIsInBothStores(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	for _, c := range []struct{ path, body string }{
		{"track", `{"anonymousId":"a1","event":"Product Viewed","messageId":"m1","timestamp":"2026-01-01T10:00:00Z","properties":{"price":59.9,"shipping":{"cost":3},"sku":"x"}}`},
		{"identify", `{"userId":"u42","anonymousId":"a1","messageId":"m2","traits":{"email":"Anna@Example.org","name":"Anna Petrova","age":30,"tags":["a"]},"context":{"ip":"10.0.0.1"}}`},
		{"track", `{"userId":"u42","event":"Order Completed","messageId":"m3","properties":{"revenue":120,"decisionId":"01J0000000000000000000000A"}}`},
		{"page", `{"anonymousId":"a1","name":"Home","messageId":"m4"}`},
		{"track", `{"userId":"u42","event":"Experiment Viewed","messageId":"m5","properties":{"experimentId":"hero","variationId":"B"}}`},
	} {
		if status, out := b.call("POST", "/v1/"+c.path, c.body); status != 200 || out["accepted"] != 1.0 {
			t.Fatalf("%s: %d %v", c.path, status, out)
		}
	}
	b.flush()
	id := NewID(Identifier{Namespace: "anonymousId", Value: "a1"})
	if n := b.count("SELECT count() FROM events FINAL WHERE profile_id = ?", id); n != 5 {
		t.Errorf("%d events of the profile", n)
	}
	var numbers map[string]float64
	var eventType, properties, source string
	var at time.Time
	if err := b.clickhouse.Read.QueryRow(t.Context(), "SELECT type, numbers, properties, source, timestamp FROM events WHERE message_id = 'm1'").
		Scan(&eventType, &numbers, &properties, &source, &at); err != nil {
		t.Fatal(err)
	}
	if eventType != "track" || numbers["price"] != 59.9 || numbers["shipping.cost"] != 3 || source != "key-1" ||
		properties != `{"price":59.9,"shipping":{"cost":3},"sku":"x"}` || !at.Equal(time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("row %s %v %s %s %s", eventType, numbers, properties, source, at)
	}
	if n := b.count("SELECT count() FROM events WHERE decision_id = '01J0000000000000000000000A' AND numbers['revenue'] = 120"); n != 1 {
		t.Errorf("%d outcomes", n)
	}
	if n := b.count("SELECT count() FROM exposures WHERE experiment = 'hero' AND variant = 'B' AND unit = ?", id); n != 1 {
		t.Errorf("%d exposures", n)
	}
	for _, name := range []string{id, "userId:u42", "email:anna@example.org", "email:ANNA@example.org", "anonymousId:a1"} {
		status, p := b.call("GET", "/v1/profiles/"+name, "")
		if status != 200 || p["profileId"] != id {
			t.Fatalf("profile %s: %d %v", name, status, p)
		}
		if len(p["identifiers"].([]any)) != 3 || len(p["events"].([]any)) != 5 || p["traits"].(map[string]any)["age"] != 30.0 || p["eventCount"] != 5.0 {
			t.Errorf("profile %s: %v", name, p)
		}
	}
	view, ok := b.service.Store().Lookup([]Identifier{{Namespace: "email", Value: "ANNA@example.org"}})
	if !ok || view.ID != id || view.Traits["name"] != "Anna Petrova" || view.LastSeenAt.Before(at) {
		t.Errorf("lookup: %+v %v", view, ok)
	}
	for query, want := range map[string]int{"": 1, "anna": 1, "u4": 1, "userId:u4": 1, "email:ann": 1, "nobody": 0, "a%": 0, id: 1, "email:u42": 0} {
		status, list := b.call("GET", "/v1/profiles?query="+strings.ReplaceAll(query, "%", "%25"), "")
		if status != 200 || len(list["items"].([]any)) != want {
			t.Errorf("search %q: %d %v", query, status, list)
		}
	}
	var inPostgres string
	if err := b.postgres.QueryRow(t.Context(), "SELECT traits->>'name' FROM profiles WHERE profile_id = $1 AND events = 5", id).Scan(&inPostgres); err != nil || inPostgres != "Anna Petrova" {
		t.Errorf("in Postgres: %q %v", inPostgres, err)
	}
}

func TestRepeatedMessagesCountOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	body := `{"batch":[{"type":"track","event":"E","userId":"u","messageId":"m1"},{"type":"track","event":"E","userId":"u","messageId":"m1"},{"type":"track","event":"E","userId":"u","messageId":"m2"}]}`
	if status, out := b.call("POST", "/v1/batch", body); status != 200 || out["accepted"] != 3.0 || out["repeated"] != 1.0 {
		t.Fatalf("first: %d %v", status, out)
	}
	if status, out := b.call("POST", "/v1/batch", body); status != 200 || out["accepted"] != 3.0 || out["repeated"] != 3.0 {
		t.Fatalf("second: %d %v", status, out)
	}
	b.flush()
	b.open() // what came in before a restart is recognised, too
	if status, out := b.call("POST", "/v1/batch", body); status != 200 || out["repeated"] != 3.0 {
		t.Fatalf("after a restart: %d %v", status, out)
	}
	b.flush()
	if rows := b.count("SELECT count() FROM events"); rows != 2 {
		t.Errorf("%d rows", rows)
	}
	if view, _ := b.service.Store().Lookup([]Identifier{{Namespace: "userId", Value: "u"}}); view.Events != 2 {
		t.Errorf("%d events in the profile", view.Events)
	}
}

func TestBadCallsStoreNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	long := strings.Repeat("x", 10_000)
	cases := map[string]struct {
		path, body string
		status     int
		says       string
	}{
		"malformed":           {"track", `{"userId":`, 400, "not JSON"},
		"NaN":                 {"track", `{"userId":"u","event":"E","properties":{"price":NaN}}`, 400, "body.properties.price"},
		"a number too large":  {"track", `{"userId":"u","event":"E","properties":{"price":1e999}}`, 422, "body.properties.price"},
		"a wrong type":        {"track", `{"userId":5,"event":"E"}`, 422, "body.userId"},
		"a long identifier":   {"track", `{"userId":"` + long + `","event":"E"}`, 422, "body.userId"},
		"no event":            {"track", `{"userId":"u"}`, 422, "body.event"},
		"5 MB":                {"batch", `{"batch":[{"type":"track","event":"` + strings.Repeat("x", 5<<20) + `"}]}`, 413, ""},
		"2,501 messages":      {"batch", `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"track","event":"E","userId":"u"},`, 2501), ",") + `]}`, 422, "2500"},
		"an array":            {"batch", `[]`, 422, "object"},
		"all of a batch":      {"batch", `{"batch":[{"type":"track","userId":"u"},{"type":"x","userId":"u"}]}`, 422, "body.batch[1].type"},
		"an import of nobody": {"imports", `{"kind":"profiles","fileHash":"x","mappingHash":"y","name":"n","rowsTotal":1}`, 422, "body.fileHash"},
	}
	for name, tc := range cases {
		status, out := b.call("POST", "/v1/"+tc.path, tc.body)
		text, _ := json.Marshal(out)
		if status != tc.status || !strings.Contains(string(text), tc.says) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	b.flush()
	if rows := b.count("SELECT count() FROM events"); rows != 0 || b.service.Store().Len() != 0 {
		t.Errorf("%d events and %d profiles were stored", rows, b.service.Store().Len())
	}
	if identifiers, _ := b.service.store.index.Len(); identifiers != 0 {
		t.Errorf("%d identifiers were linked", identifiers)
	}
}

func TestGoodMessagesOfABadBatchAreStored(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	status, out := b.call("POST", "/v1/batch", `{"batch":[{"type":"track","event":"E","userId":"u"},{"type":"track","messageId":"bad","userId":"u"},{"type":"identify","userId":"u"}]}`)
	if status != 200 || out["success"] != true || out["accepted"] != 2.0 {
		t.Fatalf("%d %v", status, out)
	}
	rejected := out["rejected"].([]any)[0].(map[string]any)
	if rejected["index"] != 1.0 || rejected["messageId"] != "bad" || rejected["errors"].([]any)[0].(map[string]any)["location"] != "body.batch[1].event" {
		t.Errorf("rejected %v", rejected)
	}
	b.flush()
	if rows := b.count("SELECT count() FROM events"); rows != 2 {
		t.Errorf("%d rows", rows)
	}
}

func TestWhoMaySend(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	const message = `{"userId":"u","event":"E"%s}`
	for name, tc := range map[string]struct {
		key, body string
		status    int
	}{
		"a key in the header":           {"good", fmt.Sprintf(message, ""), 200},
		"a key in the body":             {"", fmt.Sprintf(message, `,"writeKey":"good"`), 200},
		"no key":                        {"", fmt.Sprintf(message, ""), 401},
		"no key and no JSON":            {"", "x", 401},
		"an unknown key in the body":    {"", fmt.Sprintf(message, `,"writeKey":"stolen"`), 401},
		"an unknown key in the header":  {"stolen", fmt.Sprintf(message, `,"writeKey":"good"`), 401},
		"a key that may only read":      {"reader", fmt.Sprintf(message, ""), 403},
		"such a key in the body":        {"", fmt.Sprintf(message, `,"writeKey":"reader"`), 403},
		"a number as a key in the body": {"", fmt.Sprintf(message, `,"writeKey":5`), 401},
	} {
		if status, out := b.callAs(tc.key, "POST", "/v1/track", tc.body); status != tc.status {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
}

// A restart finds the same profiles, whatever had reached Postgres before.
func TestRestartKeepsState(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	for i := range 50 {
		body := fmt.Sprintf(`{"batch":[{"type":"identify","userId":"u%d","anonymousId":"a%d","traits":{"n":%d,"email":"u%d@example.org"}},{"type":"track","event":"E","anonymousId":"a%d"}]}`, i%20, i, i, i%20, i)
		if status, out := b.call("POST", "/v1/batch", body); status != 200 {
			t.Fatalf("%d %v", status, out)
		}
	}
	before := snapshot(b)
	b.open()
	if after := snapshot(b); after != before {
		t.Errorf("after a restart: %s", firstDifference(after, before))
	}
	// Without what Postgres holds, the stream alone gives the same.
	b.stop()
	for _, table := range []string{"profiles", "profile_identifiers", "profile_positions"} {
		if _, err := b.postgres.Exec(t.Context(), "TRUNCATE "+table); err != nil {
			t.Fatal(err)
		}
	}
	b.open()
	if after := snapshot(b); after != before {
		t.Errorf("from the stream alone: %s", firstDifference(after, before))
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "\n got " + a[i] + "\nwant " + b[i]
		}
	}
	return fmt.Sprintf("%d profiles, want %d", len(a), len(b))
}

// snapshot is the state of all profiles as text, in a fixed order.
func snapshot(b *bed) string {
	b.t.Helper()
	b.flush()
	var out strings.Builder
	after := ""
	for {
		cards, next, err := b.service.List(b.t.Context(), "", after, 7)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, c := range cards {
			ids := map[string]bool{}
			for _, i := range c.Identifiers {
				ids[i.Namespace+":"+i.Value+" "+i.FirstSeen.String()] = true
			}
			c.Identifiers = nil
			text, err := json.Marshal([]any{c, ids})
			if err != nil {
				b.t.Fatal(err)
			}
			out.Write(text)
			out.WriteByte('\n')
		}
		if after = next; next == "" {
			return out.String()
		}
	}
}

func TestFullStreamAsksToComeBack(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{MaxBytes: 1 << 20})
	body := `{"userId":"u","event":"E","properties":{"x":"` + strings.Repeat("x", 30_000) + `"}}`
	for range 60 {
		r, err := http.NewRequestWithContext(t.Context(), "POST", b.server.URL+"/v1/track", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer good")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusTooManyRequests {
			if response.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return
		}
		if response.StatusCode != 200 {
			t.Fatalf("status %d", response.StatusCode)
		}
	}
	t.Fatal("a stream of 1 MiB took 1.8 MB")
}

func TestImportJobs(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	hash := strings.Repeat("a", 64)
	start := fmt.Sprintf(`{"kind":"events","fileHash":"%s","mappingHash":"%s","name":"f.csv","rowsTotal":10}`, hash, hash)
	status, job := b.call("POST", "/v1/imports", start)
	if status != 200 || job["status"] != "running" || job["rowsDone"] != 0.0 || job["createdBy"] != "key:key-1" {
		t.Fatalf("%d %v", status, job)
	}
	path := "/v1/imports/" + job["id"].(string)
	if status, out := b.call("PATCH", path, `{"rowsDone":4,"accepted":3,"rejected":1,"status":"running"}`); status != 200 || out["rowsDone"] != 4.0 {
		t.Fatalf("%d %v", status, out)
	}
	if status, out := b.call("POST", "/v1/imports", start); status != 200 || out["id"] != job["id"] || out["rowsDone"] != 4.0 {
		t.Fatalf("found again: %d %v", status, out)
	}
	for body, want := range map[string]int{
		`{"rowsDone":3,"accepted":3,"rejected":0,"status":"running"}`:  409,
		`{"rowsDone":11,"accepted":3,"rejected":0,"status":"running"}`: 422,
		`{"rowsDone":5,"accepted":3,"rejected":0,"status":"done"}`:     422,
	} {
		if status, out := b.call("PATCH", path, body); status != want {
			t.Errorf("%s: %d %v", body, status, out)
		}
	}
	if status, _ := b.call("PATCH", "/v1/imports/01J0000000000000000000000A", `{"rowsDone":1,"accepted":1,"rejected":0,"status":"running"}`); status != 404 {
		t.Errorf("an unknown job: %d", status)
	}
	if status, out := b.call("PATCH", path, `{"rowsDone":10,"accepted":9,"rejected":1,"status":"complete"}`); status != 200 || out["completedAt"] == nil {
		t.Errorf("%d %v", status, out)
	}
	if status, out := b.call("GET", "/v1/imports", ""); status != 200 || len(out["items"].([]any)) != 1 {
		t.Errorf("%d %v", status, out)
	}
	if status, out := b.call("POST", "/v1/imports", strings.TrimSuffix(start, "}")+`,"restart":true}`); status != 200 || out["rowsDone"] != 0.0 || out["status"] != "running" {
		t.Errorf("restarted: %d %v", status, out)
	}
}
