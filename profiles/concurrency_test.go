package profiles

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"sync"
	"testing"

	"quintet/internal/api"
	"quintet/internal/enginetest"
	"quintet/internal/stream"
)

// who lists which identifiers and traits each profile has.
func who(b *bed) string {
	b.t.Helper()
	b.flush()
	cards, _, err := b.service.List(b.t.Context(), "", "", 10_000)
	if err != nil {
		b.t.Fatal(err)
	}
	lines := make([]string, 0, len(cards))
	for _, c := range cards {
		ids := make([]string, 0, len(c.Identifiers))
		for _, i := range c.Identifiers {
			ids = append(ids, i.Namespace+":"+i.Value)
		}
		sort.Strings(ids)
		traits, err := json.Marshal(c.Traits)
		if err != nil {
			b.t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %d %v %s", c.ProfileID, c.Events, ids, traits))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// Many callers who share browsers and change accounts: identity is settled in
// one order and recorded in another, and after a restart, from Postgres or from
// the stream alone, it is the same.
func TestIdentityIsTheSameAfterARestart(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(caller), 7))
			for i := range 40 {
				messages := make([]string, 5)
				for j := range messages {
					user, browser := "", fmt.Sprintf(`,"anonymousId":"a%d"`, random.IntN(12))
					if random.IntN(3) > 0 {
						user = fmt.Sprintf(`,"userId":"u%d"`, random.IntN(12))
					}
					messages[j] = fmt.Sprintf(`{"type":"identify"%s%s,"traits":{"t%d":"%d-%d"}}`, user, browser, random.IntN(3), caller, i)
				}
				if status, out := b.call("POST", "/v1/batch", `{"batch":[`+strings.Join(messages, ",")+`]}`); status != 200 {
					t.Errorf("%d %v", status, out)
					return
				}
			}
		})
	}
	callers.Wait()
	before := who(b)
	b.open()
	if after := who(b); after != before {
		t.Errorf("after a restart: %s", firstDifference(after, before))
	}
	b.stop()
	b.execute("TRUNCATE profiles, profile_identifiers, profile_positions")
	b.open()
	if after := who(b); after != before {
		t.Errorf("from the stream alone: %s", firstDifference(after, before))
	}
}

// A batch that grows beyond one record, since it shares a large context, is
// stored whole.
func TestBatchOfSeveralRecords(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	messages := strings.TrimSuffix(strings.Repeat(`{"type":"track","event":"E","userId":"u"},`, 400), ",")
	shared := strings.Repeat("x", 8000)
	if status, out := b.call("POST", "/v1/batch", `{"batch":[`+messages+`],"context":{"page":"`+shared+`"}}`); status != 200 || out["accepted"] != 400.0 {
		t.Fatalf("%d %v", status, out)
	}
	b.flush()
	if n := b.count("SELECT uniqExact(item) FROM events WHERE length(context) > 8000"); n != 400 {
		t.Errorf("%d events", n)
	}
	if n := b.count("SELECT uniqExact(sequence) FROM events"); n < 6 || n > 10 {
		t.Errorf("%d records for 3.2 MB", n)
	}
	if status, out := b.call("POST", "/v1/batch", `{"batch":[`+messages+`],"context":{"page":"`+shared+shared+`"}}`); status != 422 {
		t.Errorf("a context of 16 kB for everybody: %d %v", status, out)
	}
}

func TestEveryRouteNeedsAKey(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	srv := api.New(api.Options{Auth: keys{}, Logger: enginetest.Logger(t)})
	b.service.Routes(srv)
	if open := api.Unguarded(srv.Router); len(open) != 0 {
		t.Errorf("routes that answer without a key: %v", open)
	}
}
