package definitions_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/internal/problem"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

type thing struct {
	Name string  `json:"name" maxLength:"20"`
	Size float64 `json:"size,omitempty"`
}

func validate(_ context.Context, _ string, v *thing) error {
	var bad problem.Invalid
	if v.Size < 0 {
		bad.Add("size", "must be at least 0", v.Size)
	}
	if v.Name == "" {
		v.Name = "unnamed"
	}
	return bad.Err()
}

func open(t *testing.T) (*definitions.Store, *definitions.Collection[thing], func() (*definitions.Store, *definitions.Collection[thing])) {
	t.Helper()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations()); err != nil {
		t.Fatal(err)
	}
	another := func() (*definitions.Store, *definitions.Collection[thing]) {
		s, err := definitions.Open(t.Context(), pool, enginetest.Logger(t))
		if err != nil {
			t.Fatal(err)
		}
		c, err := definitions.NewCollection(s, "things", validate)
		if err != nil {
			t.Fatal(err)
		}
		return s, c
	}
	s, c := another()
	return s, c, another
}

func TestVersionsAreKept(t *testing.T) {
	t.Parallel()
	_, c, _ := open(t)
	ctx := t.Context()
	for i, name := range []string{"a", "b", ""} {
		v, err := c.Put(ctx, "x", thing{Name: name}, "me", 0)
		if err != nil || v.Version != int64(i+1) || v.UpdatedBy != "me" {
			t.Fatalf("put %d: %+v, %v", i, v, err)
		}
	}
	if v, ok := c.Get("x"); !ok || v.Value.Name != "unnamed" {
		t.Errorf("current = %+v, want the name that validation filled in", v)
	}
	if v, err := c.AtVersion(ctx, "x", 1); err != nil || v.Value.Name != "a" {
		t.Errorf("version 1 = %+v, %v", v, err)
	}
	if err := c.Delete(ctx, "x", "me"); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Get("x"); ok {
		t.Error("still there after its deletion")
	}
	if v, err := c.AtVersion(ctx, "x", 2); err != nil || v.Value.Name != "b" {
		t.Errorf("version 2 of a deleted key = %+v, %v", v, err)
	}
	if v, err := c.AtVersion(ctx, "x", 4); problem.From(err) == nil || problem.From(err).Status != http.StatusNotFound {
		t.Errorf("the version that is a deletion = %+v, %v", v, err)
	}
	if v, err := c.Put(ctx, "x", thing{Name: "again"}, "me", -1); err != nil || v.Version != 5 {
		t.Errorf("created again as %+v, %v, want version 5", v, err)
	}
	if err := c.Delete(ctx, "y", "me"); err == nil {
		t.Error("deleting what is not there succeeds")
	}
}

func TestExpectedVersions(t *testing.T) {
	t.Parallel()
	_, c, _ := open(t)
	ctx := t.Context()
	for i, tt := range []struct {
		name      string
		ifVersion int64
		fails     bool
	}{
		{"replace what is not there", 3, true}, {"create", -1, false}, {"create again", -1, true},
		{"replace version 1", 1, false}, {"replace version 1 again", 1, true}, {"replace any", 0, false},
	} {
		_, err := c.Put(ctx, "x", thing{Name: "n", Size: float64(i)}, "me", tt.ifVersion)
		var p *problem.Error
		if tt.fails && (!errors.As(err, &p) || p.Status != http.StatusPreconditionFailed) || !tt.fails && err != nil {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}

func TestPutManyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	_, c, _ := open(t)
	err := c.PutMany(t.Context(), map[string]thing{"a": {Name: "a"}, "b": {Size: -1}}, "me")
	var bad problem.Invalid
	if !errors.As(err, &bad) || bad[0].Field != "b.size" {
		t.Errorf("error = %v, want one at b.size", err)
	}
	if len(c.Snapshot()) != 0 {
		t.Error("a part was written")
	}
	if err := c.PutMany(t.Context(), map[string]thing{"a": {Name: "a"}, "b": {Name: "b"}, "c": {}}, "me"); err != nil {
		t.Fatal(err)
	}
	if page := c.List("a", 1); len(page) != 1 || page[0].Key != "b" {
		t.Errorf("page after a = %+v", page)
	}
}

// Two processes see each other's changes, and concurrent writers lose nothing.
func TestChangesReachOtherProcesses(t *testing.T) {
	t.Parallel()
	s1, c1, another := open(t)
	s2, c2 := another()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, s := range []*definitions.Store{s1, s2} {
		wg.Go(func() { _ = s.Run(ctx) })
	}
	defer wg.Wait()
	defer cancel()
	seen := make(chan struct{}, 1000)
	c2.OnChange(func() { seen <- struct{}{} })
	var writers sync.WaitGroup
	const each = 20
	for w, c := range []*definitions.Collection[thing]{c1, c2} {
		writers.Go(func() {
			for i := range each {
				if _, err := c.Put(ctx, "x", thing{Name: "n", Size: float64(each*w + i + 1)}, "me", 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	deadline := time.After(15 * time.Second)
	for {
		v1, _ := c1.Get("x")
		v2, _ := c2.Get("x")
		if v1.Version == 2*each && v2.Version == 2*each {
			return
		}
		select {
		case <-seen:
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatalf("versions %d and %d, want %d in both", v1.Version, v2.Version, 2*each)
		}
	}
}

type everybody struct{}

func (everybody) Authenticate(*http.Request) (api.Principal, error) {
	return api.Principal{ID: "k1", Kind: "key", Scopes: []api.Scope{api.ScopeAdmin}}, nil
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	_, c, _ := open(t)
	srv := api.New(api.Options{Logger: enginetest.Logger(t), Auth: everybody{}, BodyLimit: 1 << 20})
	definitions.Routes(srv.API, c, definitions.RouteOptions{Tag: "Things", Singular: "thing"})
	call := func(method, path, body string, header ...string) (int, map[string]any, http.Header) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		srv.Router.ServeHTTP(w, r)
		var out map[string]any
		if w.Body.Len() > 0 {
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
				t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
			}
		}
		return w.Code, out, w.Header()
	}
	status, out, header := call("PUT", "/v1/things/a", `{"name":"first","size":2}`)
	if status != 200 || out["key"] != "a" || out["version"] != 1.0 || out["name"] != "first" || out["updatedBy"] != "key:k1" || header.Get("ETag") != `"1"` {
		t.Fatalf("put: %d %v %v", status, out, header)
	}
	// What was read can be written back, as it is or changed.
	for version, size := range []float64{1: 2, 2: 3} {
		if version == 0 {
			continue
		}
		out["size"] = size
		back, _ := json.Marshal(out)
		if status, out, _ = call("PUT", "/v1/things/a", string(back), "If-Match", `"1"`); status != 200 || out["version"] != float64(version) {
			t.Fatalf("writing back: %d %v", status, out)
		}
	}
	if status, out, _ = call("GET", "/v1/things?limit=1", ""); status != 200 || len(out["items"].([]any)) != 1 || out["next"] != "" {
		t.Errorf("list: %d %v", status, out)
	}
	if status, out, _ = call("PUT", "/v1/things", `{"items":[{"key":"b","name":"b"},{"key":"a","name":"first","size":3}]}`); status != 200 || out["written"] != 1.0 || out["unchanged"] != 1.0 {
		t.Errorf("many: %d %v", status, out)
	}
	if status, out, _ = call("GET", "/v1/things?limit=1", ""); status != 200 || len(out["items"].([]any)) != 1 || out["next"] != "a" {
		t.Errorf("list: %d %v", status, out)
	}
	if status, out, _ = call("GET", "/v1/things?limit=1&after=a", ""); status != 200 || out["next"] != "" || out["items"].([]any)[0].(map[string]any)["key"] != "b" {
		t.Errorf("second page: %d %v", status, out)
	}
	for _, tt := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		location                 string
	}{
		{"stale", "PUT", "/v1/things/a", `{"name":"x"}`, []string{"If-Match", `"1"`}, 412, ""},
		{"exists", "PUT", "/v1/things/a", `{"name":"x"}`, []string{"If-None-Match", "*"}, 412, ""},
		{"validator", "PUT", "/v1/things/a", `{"name":"x","size":-1}`, nil, 422, "body.size"},
		{"schema", "PUT", "/v1/things/a", `{"name":3}`, nil, 422, "body.name"},
		{"unknown field", "PUT", "/v1/things/a", `{"name":"x","colour":1}`, nil, 422, "body.colour"},
		{"other key", "PUT", "/v1/things/a", `{"key":"b","name":"x"}`, nil, 422, "body.key"},
		{"bad key", "PUT", "/v1/things/A%20b", `{"name":"x"}`, nil, 422, "path.key"},
		{"malformed", "PUT", "/v1/things/a", `{"name":`, nil, 400, ""},
		{"zero", "PUT", "/v1/things/a", `{"name":"a\u0000b"}`, nil, 422, "body.name"},
		{"zero in a key", "PUT", "/v1/things/a%00", `{"name":"x"}`, nil, 422, "path.key"},
		{"zero in an unknown key", "GET", "/v1/things/a%00/versions", ``, nil, 404, ""},
		{"zero in an unknown version", "GET", "/v1/things/a%00/versions/1", ``, nil, 404, ""},
		{"no ETag", "PUT", "/v1/things/a", `{"name":"x"}`, []string{"If-Match", "latest"}, 422, "header.If-Match"},
		{"too large", "PUT", "/v1/things/a", `{"name":"` + strings.Repeat("x", 600<<10) + `"}`, nil, 413, "body"},
		{"one of many", "PUT", "/v1/things", `{"items":[{"key":"c","name":"c"},{"key":"d","name":"d","size":-1}]}`, nil, 422, "body.items[1].size"},
		{"a key of many", "PUT", "/v1/things", `{"items":[{"key":"c","name":"c"},{"name":"d"}]}`, nil, 422, "body.items[1].key"},
		{"a key twice", "PUT", "/v1/things", `{"items":[{"key":"c","name":"c"},{"key":"c","name":"d"}]}`, nil, 422, "body.items[1].key"},
		{"an unknown field of many", "PUT", "/v1/things", `{"items":[{"key":"c","name":"c","colour":1}]}`, nil, 422, "body.items[0].colour"},
		{"none of many", "PUT", "/v1/things", `{"items":[]}`, nil, 422, "body.items"},
		{"unknown", "GET", "/v1/things/zzz", ``, nil, 404, ""},
		{"limit", "GET", "/v1/things?limit=1000", ``, nil, 422, "query.limit"},
	} {
		status, out, _ := call(tt.method, tt.path, tt.body, tt.header...)
		location := ""
		if list, ok := out["errors"].([]any); ok && len(list) > 0 {
			location, _ = list[0].(map[string]any)["location"].(string)
		}
		if status != tt.status || tt.location != "" && location != tt.location {
			t.Errorf("%s: %d at %q, want %d at %q: %v", tt.name, status, location, tt.status, tt.location, out)
		}
	}
	if v, _ := c.Get("a"); v.Version != 2 {
		t.Errorf("a refused request wrote version %d", v.Version)
	}
	if _, ok := c.Get("c"); ok {
		t.Error("a part of a refused request was written")
	}
	if status, _, _ = call("DELETE", "/v1/things/a", "", "If-Match", `"1"`); status != 412 {
		t.Errorf("delete of another version: %d", status)
	}
	if status, _, _ = call("DELETE", "/v1/things/a", "", "If-Match", `"2"`); status != 204 {
		t.Errorf("delete: %d", status)
	}
	if status, _, _ = call("DELETE", "/v1/things/a", ""); status != 404 {
		t.Errorf("delete again: %d", status)
	}
	status, out, _ = call("GET", "/v1/things/a/versions?limit=2", "")
	items, _ := out["items"].([]any)
	if status != 200 || len(items) != 2 || out["next"] != 2.0 {
		t.Fatalf("versions: %d %v", status, out)
	}
	last, before := items[0].(map[string]any), items[1].(map[string]any)
	if last["version"] != 3.0 || last["deleted"] != true || last["value"] != nil || before["deleted"] != false || before["value"].(map[string]any)["size"] != 3.0 {
		t.Errorf("versions: %v", out)
	}
	if status, out, _ = call("GET", "/v1/things/a/versions?before=2", ""); status != 200 || len(out["items"].([]any)) != 1 || out["next"] != 0.0 {
		t.Errorf("older versions: %d %v", status, out)
	}
	if status, out, _ = call("GET", "/v1/things/a/versions/1", ""); status != 200 || out["size"] != 2.0 || out["version"] != 1.0 {
		t.Errorf("version 1: %d %v", status, out)
	}
	for _, path := range []string{"/v1/things/a/versions/3", "/v1/things/a/versions/4", "/v1/things/zzz/versions"} {
		if status, _, _ = call("GET", path, ""); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
}
