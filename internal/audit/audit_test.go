package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"quintet/internal/api"
	"quintet/internal/audit"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

type admin struct{}

func (admin) Authenticate(*http.Request) (api.Principal, error) {
	return api.Principal{ID: "1", Name: "boss", Kind: "user", Scopes: []api.Scope{api.ScopeAdmin}}, nil
}

func TestLog(t *testing.T) {
	t.Parallel()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, audit.Migrations()); err != nil {
		t.Fatal(err)
	}
	log := audit.Open(pool, enginetest.Logger(t))
	srv := api.New(api.Options{Auth: admin{}, Auditor: log, Logger: enginetest.Logger(t)})
	log.Routes(srv)

	key := api.Principal{ID: "7", Name: "importer", Kind: "key"}
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range 120 {
		e := api.AuditEntry{
			At: start.Add(time.Duration(i) * time.Minute), Principal: key, Operation: "put-offer", Method: http.MethodPut,
			Path: fmt.Sprintf("/v1/offers/o_%d", i), Status: 200, RequestID: "r", Address: "127.0.0.1",
		}
		if i%2 == 0 {
			e.Personal, e.Operation, e.Path, e.Method = true, "get-profile", "/v1/profiles/a\x00b\xff", http.MethodGet
		}
		log.Audit(t.Context(), e)
	}
	// Changes are there at once; looks when the log runs, at the latest when it ends.
	read := func(query string) (ids []audit.Entry, next int64) {
		t.Helper()
		w := httptest.NewRecorder()
		srv.Router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/audit"+query, nil))
		var page struct {
			Items []audit.Entry
			Next  int64
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %v %s", query, w.Code, err, w.Body)
		}
		return page.Items, page.Next
	}
	if list, _ := read("?limit=200"); len(list) != 60 || list[0].Path != "/v1/offers/o_119" || list[0].Actor != "key:7" || list[0].ActorName != "importer" {
		t.Fatalf("%d entries: %+v", len(list), list[0])
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := log.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	cases := map[string]int{
		"?limit=200":                                         120,
		"?limit=200&personal=true":                           60,
		"?limit=200&personal=false":                          60,
		"?limit=200&actor=key:7":                             120,
		"?limit=200&actor=key:8":                             0,
		"?limit=200&path=/v1/offers/":                        60,
		"?limit=200&path=/v1/offers/o_11":                    6, // 11, 111, 113 … 119
		"?limit=200&path=/v1/%25":                            0,
		"?from=2026-03-01T12:10:00Z&to=2026-03-01T12:20:00Z": 10,
		"?from=2026-03-01T12:10:00Z&to=2026-03-01T12:00:00Z": 0,
	}
	for query, want := range cases {
		if list, _ := read(query); len(list) != want {
			t.Errorf("%s: %d entries, want %d", query, len(list), want)
		}
	}
	seen := map[int64]bool{}
	for before := int64(0); ; {
		list, next := read(fmt.Sprintf("?limit=50&before=%d", before))
		for _, e := range list {
			seen[e.ID] = true
		}
		if before = next; next == 0 {
			break
		}
	}
	if len(seen) != 120 {
		t.Fatalf("%d entries over all pages", len(seen))
	}
}
