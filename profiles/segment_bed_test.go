package profiles

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/internal/stream"
	"quintet/profiles/identity"
)

// segmentBed is a bed with a service of segments on top.
type segmentBed struct {
	*bed
	segments *Segments
	clock    atomic.Pointer[func() time.Time]
}

func newSegmentBed(t testing.TB) *segmentBed {
	t.Helper()
	plain := newBed(t, stream.Options{})
	plain.stop()
	b := &segmentBed{bed: plain}
	b.at(time.Now)
	if err := postgres.Migrate(t.Context(), b.postgres, definitions.Migrations()); err != nil {
		t.Fatal(err)
	}
	b.start()
	return b
}

// everything is allowed to whoever asks.
type everything struct{}

func (everything) Authenticate(*http.Request) (api.Principal, error) {
	return api.Principal{ID: "key-1", Name: "good", Kind: "key", Scopes: []api.Scope{api.ScopeIngest, api.ScopeRead, api.ScopeAdmin}}, nil
}

// start opens the services on the bed's engines; calling it again is a restart.
func (b *segmentBed) start() {
	b.t.Helper()
	b.stop()
	d, err := definitions.Open(b.t.Context(), b.postgres, enginetest.Logger(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	s, err := Open(b.t.Context(), Deps{
		Postgres: b.postgres, ClickHouse: b.clickhouse, Stream: b.stream, Logger: enginetest.Logger(b.t), Registry: prometheus.NewRegistry(), Keys: keys{}, Definitions: d,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.service = s
	b.segments, err = OpenSegments(SegmentDeps{Profiles: s, Definitions: d, Rescan: 50 * time.Millisecond, Now: func() time.Time { return (*b.clock.Load())() }})
	if err != nil {
		b.t.Fatal(err)
	}
	srv := api.New(api.Options{Auth: everything{}, Logger: enginetest.Logger(b.t)})
	s.Routes(srv)
	b.segments.Routes(srv)
	b.server = httptest.NewServer(srv.Router)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- s.Run(ctx) }()
	go func() { done <- b.segments.Run(ctx) }()
	b.stop = func() {
		b.server.Close()
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				b.t.Errorf("running: %v", err)
			}
		}
		b.stop = func() {}
	}
}

// at sets the clock by which segments are worked out.
func (b *segmentBed) at(now func() time.Time) { b.clock.Store(&now) }

func (b *segmentBed) put(key, body string) {
	b.t.Helper()
	status, answer := b.call("PUT", "/v1/segments/"+key, body)
	if status != 200 {
		b.t.Fatalf("segment %s: %d %v", key, status, answer)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	if _, err := b.segments.waitReady(ctx, key); err != nil {
		b.t.Fatal(err)
	}
}

func (b *segmentBed) track(user, event, properties string) {
	b.t.Helper()
	b.ok("POST", "/v1/track", fmt.Sprintf(`{"userId":%q,"event":%q,"properties":%s}`, user, event, properties))
}

func (b *segmentBed) ok(method, path, body string) map[string]any {
	b.t.Helper()
	status, answer := b.call(method, path, body)
	if status != 200 {
		b.t.Fatalf("%s %s answered %d %v", method, path, status, answer)
	}
	return answer
}

func (b *segmentBed) id(user string) string {
	return NewID(Identifier{Namespace: "userId", Value: user})
}

// eventually waits until a condition holds and returns how long it took.
func (b *segmentBed) eventually(what string, within time.Duration, holds func() bool) time.Duration {
	b.t.Helper()
	started := time.Now()
	for !holds() {
		if time.Since(started) > within {
			b.t.Fatalf("after %s still not: %s", within, what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(started)
}

func (b *segmentBed) in(user, key string) func() bool {
	return func() bool { return b.segments.InSegment(b.id(user), key) }
}

func (b *segmentBed) out(user, key string) func() bool {
	return func() bool { return !b.segments.InSegment(b.id(user), key) }
}

// membership is the history of a person in a segment: "+change -change".
func (b *segmentBed) membership(user, key string) string {
	b.t.Helper()
	b.flush()
	rows, err := b.clickhouse.Read.Query(b.t.Context(), `SELECT entered, reason FROM segment_membership FINAL WHERE segment = ? AND person_id = ? ORDER BY at, sequence, position`, key, b.id(user))
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	var story []string
	for rows.Next() {
		var entered uint8
		var reason string
		if err := rows.Scan(&entered, &reason); err != nil {
			b.t.Fatal(err)
		}
		story = append(story, []string{"-", "+"}[entered]+reason)
	}
	return strings.Join(story, " ")
}

func (b *segmentBed) person(profile string) string {
	id, _ := identity.ParseID(profile)
	return b.service.Store().PersonOf(id).String()
}
