package attributes

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"quintet/internal/api"
	"quintet/internal/clickhouse"
	"quintet/internal/enginetest"
	"quintet/profiles/identity"
	"quintet/profiles/profilestest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// everybody may do everything.
type everybody struct{}

func (everybody) Authenticate(*http.Request) (api.Principal, error) {
	return api.Principal{ID: "k1", Name: "key", Kind: "key", Scopes: []api.Scope{api.ScopeAdmin, api.ScopeRead, api.ScopeIngest}}, nil
}

func (everybody) Lookup(string) (api.Principal, error) { return everybody{}.Authenticate(nil) }

// bed is a service on engines of its own.
type bed struct {
	*profilestest.Bed
	clock   atomic.Int64 // Unix milliseconds
	watch   func(identity.ID)
	service *Service
}

func newBed(t testing.TB, now time.Time) *bed {
	t.Helper()
	b := &bed{}
	b.set(now)
	b.Bed = profilestest.New(t, profilestest.Options{Keys: everybody{}, ClickHouse: []clickhouse.MigrationSet{ClickHouseMigrations()}, Open: b.open})
	b.Open()
	return b
}

// set sets the clock.
func (b *bed) set(now time.Time) { b.clock.Store(now.UnixMilli()) }

func (b *bed) open(on *profilestest.Bed, srv *api.Server) (func(context.Context) error, error) {
	var err error
	b.service, err = Open(on.T.Context(), Deps{
		Logger: logger(on.T), Definitions: on.Definitions, ClickHouse: on.ClickHouse, Profiles: on.Profiles, Now: func() time.Time { return time.UnixMilli(b.clock.Load()).UTC() },
	})
	if err != nil {
		return nil, err
	}
	if b.watch != nil {
		b.service.OnChange(b.watch)
	}
	b.service.Routes(srv)
	// An import asks here whether everything is stored; the tests wait by themselves.
	srv.Router.Get("/v1/overview", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"lag":{"events":{"messages":0,"seconds":0}}}`))
	})
	return nil, nil
}

// logger shows how long the parts of a run take, in benchmarks.
func logger(t testing.TB) *slog.Logger {
	if _, measured := t.(*testing.B); !measured {
		return enginetest.Logger(t)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (b *bed) compute() {
	b.T.Helper()
	b.Stored()
	if err := b.service.Compute(b.T.Context()); err != nil {
		b.T.Fatal(err)
	}
}

// attributes are those of a user in memory.
func (b *bed) attributes(user string) map[string]any {
	b.T.Helper()
	view, ok := b.Profiles.Store().Lookup([]identity.Identifier{{Namespace: identity.UserID, Value: user}})
	if !ok {
		b.T.Fatalf("%s is not known", user)
	}
	return view.Attributes
}
