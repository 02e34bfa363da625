package quality

import (
	"context"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quintet/internal/api"
	"quintet/internal/clickhouse"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/profiles/profilestest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// keys are who may call: by the token, with everything or with personal data hidden.
type keys struct{}

func (keys) Authenticate(r *http.Request) (api.Principal, error) {
	p := api.Principal{ID: "k1", Name: "key", Kind: "key", Scopes: []api.Scope{api.ScopeAdmin, api.ScopeRead, api.ScopeIngest}}
	if r != nil {
		switch r.Header.Get("Authorization") {
		case "Bearer masked":
			p.ID, p.Mask = "k2", api.NewMask([]api.MaskRule{{Field: "personal", Mode: api.MaskHide}})
		case "Bearer browser":
			p.ID, p.Scopes = "k3", []api.Scope{api.ScopeIngest}
		}
	}
	return p, nil
}

func (keys) Lookup(string) (api.Principal, error) { return keys{}.Authenticate(nil) }

func (keys) KeyIDs(string) []string { return nil }

func (keys) KeyName(id string) string { return map[string]string{"k1": "shop", "k3": "browser"}[id] }

// bed is a service on engines of its own.
type bed struct {
	*profilestest.Bed
	shift   atomic.Int64 // of the clock, nanoseconds
	service *Service
}

func newBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{}
	b.Bed = profilestest.New(t, profilestest.Options{
		Keys: keys{}, Declarations: true, Open: b.open,
		Postgres: []postgres.MigrationSet{PostgresMigrations()}, ClickHouse: []clickhouse.MigrationSet{ClickHouseMigrations()},
	})
	b.Open()
	return b
}

func (b *bed) now() time.Time { return time.Now().Add(time.Duration(b.shift.Load())) }

func (b *bed) open(on *profilestest.Bed, srv *api.Server) (func(context.Context) error, error) {
	var err error
	if b.service, err = Open(on.T.Context(), Deps{
		Logger: enginetest.Logger(on.T), Registry: prometheus.NewRegistry(), Definitions: on.Definitions, Postgres: on.Postgres, ClickHouse: on.ClickHouse, Profiles: on.Profiles,
		Sources: keys{}, Now: b.now,
	}); err != nil {
		return nil, err
	}
	b.service.Routes(srv)
	return b.service.Run, nil
}

// flush waits until everything is stored.
func (b *bed) flush() {
	b.T.Helper()
	b.Stored()
	ctx, cancel := context.WithTimeout(b.T.Context(), 30*time.Second)
	defer cancel()
	if err := b.service.Flush(ctx); err != nil {
		b.T.Fatal(err)
	}
}

// items are the items of a list.
func items(body map[string]any) (out []map[string]any) {
	for _, item := range body["items"].([]any) {
		out = append(out, item.(map[string]any))
	}
	return out
}
