package decide

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quintet/decide/caps"
	"quintet/profiles"
)

// contactState is what a caller knows of the contact of a decision.
type contactState struct {
	id, person, point string
	at                time.Time
	sent, ended       bool
}

// interleaving is what several workers did, each with the decisions of its own, as a
// sender has them.
type interleaving struct {
	*testing.T
	mu    sync.Mutex
	known []*contactState
}

// act does one thing: decides about somebody, or sends, puts off or gives up what the
// worker decided before.
func (x *interleaving) act(s *Service, chance *rand.Rand, people []map[string]string, own *[]*contactState) {
	ctx := x.Context()
	if n := len(*own); n > 0 && chance.IntN(2) == 0 {
		c := (*own)[chance.IntN(n)]
		switch {
		case c.ended:
		case chance.IntN(5) < 3: // a sender asks, and gives up what it may not send
			err := s.Commit(ctx, c.id)
			var refused *CapError
			switch {
			case err == nil:
				c.sent = true
			case errors.As(err, &refused) && !c.sent:
				if err := s.Release(ctx, c.id); err != nil {
					x.Error(err)
				}
				c.ended = true
			default:
				x.Errorf("committing %+v: %v", c, err)
			}
		case c.sent: // what has been sent stays
		case chance.IntN(3) == 0:
			at := s.now().Add(time.Duration(chance.IntN(60)) * time.Minute)
			if err := s.Postpone(ctx, c.id, at); err != nil {
				x.Error(err)
			}
		default:
			if err := s.Release(ctx, c.id); err != nil {
				x.Error(err)
			}
			c.ended = true
		}
		return
	}
	point := []string{"cheap", "dear"}[chance.IntN(2)]
	source := []string{"campaign:a", "scenario:b", "key-1"}[chance.IntN(3)]
	who := people[chance.IntN(len(people))]
	resp, err := s.Decide(ctx, &Request{Decision: point, User: who}, source)
	if err != nil {
		x.Error(err)
		return
	}
	if resp.Where == nil || resp.Fallback {
		return
	}
	c := &contactState{id: resp.DecisionID, person: who["userId"], point: point, at: resp.When.SendAt}
	*own = append(*own, c)
	x.mu.Lock()
	x.known = append(x.known, c)
	x.mu.Unlock()
}

// TestInterleavingsKeepToLimits lets workers decide, send, put off and give up at random,
// with restarts in between, under a cap and a budget, with arbitration and without: the
// limits are never exceeded, and what the ledgers hold in the end is what one who had done
// the same one after the other would hold, in memory as after another restart.
func TestInterleavingsKeepToLimits(t *testing.T) {
	t.Parallel()
	w, _ := contest(t, 0)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		if round++; round > 30 && os.Getenv("QUINTET_TEST_FULL") == "" {
			return
		}
		arbitration := rapid.Bool().Draw(rt, "arbitration")
		limit, budget := rapid.IntRange(1, 3).Draw(rt, "limit"), rapid.IntRange(4, 20).Draw(rt, "budget")
		seed, workers, phases := rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(2, 4).Draw(rt, "workers"), rapid.IntRange(1, 3).Draw(rt, "phases")
		c := Cap{Limit: limit, Hours: 168}
		if arbitration {
			c.Arbitration = &Arbitration{WindowMinutes: 10}
		}
		time.Sleep(2 * time.Millisecond) // so that nothing of the round before is of the budget's time
		replaceLimits(t, w, c, float64(budget))
		var people []map[string]string
		for i := range 3 {
			id := fmt.Sprintf("round-%d-%d", round, i)
			w.crowd.add(nil, profiles.Identifier{Namespace: "userId", Value: id}, profiles.Identifier{Namespace: "email", Value: id + "@example.com"})
			people = append(people, map[string]string{"userId": id})
		}
		x := &interleaving{T: t}
		var s *Service
		own := make([][]*contactState, workers)
		for phase := range phases {
			s = w.restart(t) // everything in memory is lost
			var wg sync.WaitGroup
			for worker := range workers {
				wg.Go(func() {
					chance := rand.New(rand.NewPCG(seed, uint64(phase*10+worker)))
					for range 12 {
						x.act(s, chance, people, &own[worker])
					}
				})
			}
			wg.Wait()
		}
		x.judge(rt, s, arbitration, limit, budget)
		x.judge(rt, w.restart(t), arbitration, limit, budget)
	})
}

func replaceLimits(t testing.TB, w *world, c Cap, budget float64) {
	t.Helper()
	if _, err := w.Caps().Put(t.Context(), "one", c, "test", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Budgets().Put(t.Context(), "few", Budget{Unit: unitContacts, Limit: budget, StartsAt: time.Now().UTC().Truncate(time.Millisecond)}, "test", 0); err != nil {
		t.Fatal(err)
	}
}

// judge compares what a service holds with what the workers were told.
func (x *interleaving) judge(t *rapid.T, s *Service, arbitration bool, limit, budget int) {
	gave := x.gave(t, s)
	sent, open, unreleased := map[string]int{}, map[string]int{}, 0
	for _, c := range x.known {
		if c.ended {
			if s.contactsHeld.Knows(c.id) {
				t.Fatalf("%+v was given up and is still held", c)
			}
			if gave[c.id] {
				t.Fatalf("%+v was given up and is said to have given way", c)
			}
			continue
		}
		unreleased++
		h, ok := held(s, c)
		switch {
		case !ok:
			t.Fatalf("%+v is not held", c)
		case h.Made != c.sent:
			t.Fatalf("%+v is held as %+v", c, h)
		case h.Given != gave[c.id] || h.Given && (!arbitration || c.sent):
			t.Fatalf("%+v is held as %+v, with %v that gave way", c, h, gave)
		}
		if c.sent {
			sent[c.person]++
		}
		if !h.Given {
			open[c.person]++
		}
	}
	for person, n := range sent {
		if n > limit {
			t.Fatalf("%s was sent %d of %d", person, n, limit)
		}
	}
	for person, n := range open {
		// Places that were given back may meet others; that is settled as they are sent.
		if n > limit && !arbitration {
			t.Fatalf("%s has %d contacts of %d", person, n, limit)
		}
	}
	if unreleased > budget {
		t.Fatalf("%d contacts of a budget of %d", unreleased, budget)
	}
	if got := s.spending.Standing("few").Spent; got != float64(unreleased) {
		t.Fatalf("the budget has spent %g, the workers hold %d", got, unreleased)
	}
}

// gave are the decisions that gave way, by Postgres.
func (x *interleaving) gave(t *rapid.T, s *Service) map[string]bool {
	rows, err := s.pool.Query(x.Context(), `SELECT decision_id, winner FROM contact_outcomes WHERE outcome = 'gave'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := make(map[string]bool)
	for rows.Next() {
		var id, winner string
		if err := rows.Scan(&id, &winner); err != nil {
			t.Fatal(err)
		}
		out[id] = true
		at := slices.IndexFunc(x.known, func(c *contactState) bool { return c.id == winner })
		if at >= 0 && x.known[at].ended {
			t.Fatalf("%s gave way to %s, which was given up", id, winner)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// held is the contact as a service holds it.
func held(s *Service, c *contactState) (caps.Contact, bool) {
	person := profiles.NewID(profiles.Identifier{Namespace: "userId", Value: c.person})
	for _, h := range s.contactsHeld.History(s.personOf(person), nil) {
		if h.ID == c.id {
			return h, true
		}
	}
	return caps.Contact{}, false
}
