package decide

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"quintet/profiles"
)

// rival is a point that offers one thing by mail to everybody.
func rival(offer string, priority int) DecisionPoint {
	return hero(func(p *DecisionPoint) {
		p.Offers, p.Channels, p.Creatives, p.Priority = []string{offer}, []string{"email"}, nil, priority
		p.Policy = Policy{Type: PolicyFixed, Action: offer + "/email/default"}
	})
}

// valued puts an offer that is worth something.
func (w *world) valued(t testing.TB, key string, value float64) {
	t.Helper()
	if _, err := w.offers.Put(t.Context(), key, Offer{Active: true, Value: value}, "test", 0); err != nil {
		t.Fatal(err)
	}
}

func arbitrated(limit int) Cap {
	return Cap{Limit: limit, Hours: 168, Arbitration: &Arbitration{WindowMinutes: 60}}
}

// contest is a world with two campaigns, of a cheap and of a dear offer, a cap of one
// and n people with addresses.
func contest(t testing.TB, n int) (*world, []map[string]string) {
	t.Helper()
	w := newWorld(t, worldOptions{})
	w.valued(t, "cheap", 1)
	w.valued(t, "dear", 5)
	w.put(t, "cheap", rival("cheap", 0))
	w.put(t, "dear", rival("dear", 0))
	putCap(t, w, "one", arbitrated(1))
	var people []map[string]string
	for i := range n {
		id := fmt.Sprint("rival-", i)
		w.crowd.add(nil, profiles.Identifier{Namespace: "userId", Value: id}, profiles.Identifier{Namespace: "email", Value: id + "@example.com"})
		people = append(people, map[string]string{"userId": id})
	}
	return w, people
}

func decided(t testing.TB, s *Service, point string, user map[string]string, source string) *Response {
	t.Helper()
	resp, err := s.Decide(t.Context(), &Request{Decision: point, User: user}, source)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestMoreValuableContactTakesThePlace(t *testing.T) {
	t.Parallel()
	w, people := contest(t, 3)
	if wait := w.Window(ClassAdvertising, "email", "cheap"); wait != time.Hour {
		t.Errorf("messages wait %s", wait)
	}
	if wait := w.Window(ClassService, "email", "cheap"); wait != 0 {
		t.Errorf("service messages wait %s", wait)
	}

	weak := decided(t, w.Service, "cheap", people[0], "campaign:cheap")
	strong := decided(t, w.Service, "dear", people[0], "campaign:dear")
	if weak.Where == nil || strong.Where == nil {
		t.Fatal("no contact was decided on")
	}
	var refused *CapError
	if err := w.Commit(t.Context(), weak.DecisionID); !errors.As(err, &refused) || refused.Rule != "arbitration:one" {
		t.Errorf("the contact that gave way may be sent (%v)", err)
	}
	if err := w.Commit(t.Context(), strong.DecisionID); err != nil {
		t.Errorf("the better contact may not be sent: %v", err)
	}
	for id, words := range map[string]string{weak.DecisionID: "took its place", strong.DecisionID: "It took the place"} {
		out, err := w.Explain(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(out.Explanation, " "); len(out.Arbitration) != 1 || out.Arbitration[0].Rule != "arbitration:one" || !strings.Contains(text, words) || !strings.Contains(text, "arbitration:one") {
			t.Errorf("%s is explained by %s %+v", id, text, out.Arbitration)
		}
		if d := out.Arbitration[0]; d.Loser != weak.DecisionID || d.Winner != strong.DecisionID || d.WinnerWorth <= d.LoserWorth {
			t.Errorf("displacement %+v", d)
		}
		if !out.Replay.Agrees {
			t.Errorf("%s is not replayed: %v", id, out.Replay.Differences)
		}
	}

	// What is worth less, or as much, finds no room and says so.
	decided(t, w.Service, "dear", people[1], "campaign:dear")
	for _, point := range []string{"cheap", "dear"} {
		late, rec := w.ask(t, Request{Decision: point, User: people[1]})
		if late.Where != nil || len(rec.Removed) != 1 || rec.Removed[0].Rule != "arbitration:one" {
			t.Errorf("%s was refused by %+v", point, rec.Removed)
		}
		out, err := w.Explain(t.Context(), rec.DecisionID)
		if err != nil || !strings.Contains(strings.Join(out.Explanation, " "), "more valuable contacts") || !out.Replay.Agrees {
			t.Errorf("explained by %v %v (%v)", out.Explanation, out.Replay, err)
		}
	}

	// A winner whose message is not sent gives the place back.
	weak = decided(t, w.Service, "cheap", people[2], "scenario:cheap")
	strong = decided(t, w.Service, "dear", people[2], "campaign:dear")
	if err := w.Release(t.Context(), strong.DecisionID); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), weak.DecisionID); err != nil {
		t.Errorf("a place that was given back is not there: %v", err)
	}
	if late := decided(t, w.Service, "dear", people[2], "campaign:dear"); late.Where != nil {
		t.Error("a contact that was made gave way")
	}
}

func TestWhatDoesNotGiveWay(t *testing.T) {
	t.Parallel()
	w, people := contest(t, 4)
	w.put(t, "urgent", rival("cheap", 1))
	w.put(t, "receipt", hero(func(p *DecisionPoint) {
		p.Class, p.Offers, p.Channels, p.Creatives = ClassService, []string{"cheap"}, []string{"email"}, nil
		p.Policy = Policy{Type: PolicyFixed, Action: "cheap/email/default"}
	}))
	// A class of priority goes before any value.
	decided(t, w.Service, "dear", people[0], "campaign:dear")
	if resp := decided(t, w.Service, "urgent", people[0], "campaign:urgent"); resp.Where == nil {
		t.Error("a higher priority did not win")
	}
	if resp := decided(t, w.Service, "dear", people[0], "campaign:dear"); resp.Where != nil {
		t.Error("a higher value won over a priority")
	}
	// What a caller asked for is acted on at once.
	decided(t, w.Service, "cheap", people[1], "key-1")
	if resp := decided(t, w.Service, "dear", people[1], "campaign:dear"); resp.Where != nil {
		t.Error("an inbound contact gave way")
	}
	// Inbound decisions compete like others.
	weak := decided(t, w.Service, "cheap", people[2], "campaign:cheap")
	if resp := decided(t, w.Service, "dear", people[2], "key-1"); resp.Where == nil {
		t.Error("an inbound decision found no room")
	}
	if err := w.Commit(t.Context(), weak.DecisionID); err == nil {
		t.Error("the campaign sends beside it")
	}
	// Service messages neither win nor lose.
	if _, err := w.Caps().Put(t.Context(), "one", Cap{Limit: 1, Hours: 168, Class: classAll, Arbitration: &Arbitration{}}, "test", 0); err != nil {
		t.Fatal(err)
	}
	decided(t, w.Service, "receipt", people[3], "campaign:receipt")
	if resp := decided(t, w.Service, "dear", people[3], "campaign:dear"); resp.Where != nil {
		t.Error("a service message gave way")
	}
}

func eventually(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to that")
		}
	}
}

// TestBetterOfferWins has two campaigns and the sender work side by side on two
// processes with one Postgres and one log: whatever the order, nobody gets two messages,
// and who gets one whose rival came before it went out gets the better one.
func TestBetterOfferWins(t *testing.T) {
	t.Parallel()
	w, people := contest(t, 60)
	other := w.restart(t)
	ctx, stop := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { other.followLimits(ctx); other.followers.Wait() }) // the first does since it runs
	t.Cleanup(func() { stop(); following.Wait() })
	responses := make(map[string][]*Response) // by campaign, parallel to people
	var wg sync.WaitGroup
	for point, s := range map[string]*Service{"cheap": w.Service, "dear": other} {
		list := make([]*Response, len(people))
		responses[point] = list
		for worker := range 4 {
			wg.Go(func() {
				for i := worker; i < len(people); i += 4 {
					resp, err := s.Decide(t.Context(), &Request{Decision: point, User: people[i]}, "campaign:"+point)
					if err != nil {
						t.Error(err)
						return
					}
					list[i] = resp
				}
			})
		}
	}
	wg.Wait()
	// Both know of both, as they do when the window has passed.
	eventually(t, func() bool {
		for i := range people {
			for _, point := range []string{"cheap", "dear"} {
				resp := responses[point][i]
				if resp.Where == nil {
					continue
				}
				for _, s := range []*Service{w.Service, other} {
					if !s.contactsHeld.Knows(resp.DecisionID) {
						return false
					}
				}
			}
		}
		return true
	})
	var mu sync.Mutex
	sent := make(map[int][]string)
	for n, s := range []*Service{w.Service, other} {
		for worker := range 3 {
			wg.Go(func() {
				for i := worker; i < len(people); i += 3 {
					for _, point := range []string{"cheap", "dear"} {
						if (i+len(point)+n)%2 == 0 || responses[point][i].Where == nil { // each message has one sender
							continue
						}
						err := s.Commit(t.Context(), responses[point][i].DecisionID)
						var refused *CapError
						if err != nil && !errors.As(err, &refused) {
							t.Error(err)
						}
						if err == nil {
							mu.Lock()
							sent[i] = append(sent[i], point)
							mu.Unlock()
						}
					}
				}
			})
		}
	}
	wg.Wait()
	whole := 0
	for i := range people {
		if cheap, dear := responses["cheap"][i], responses["dear"][i]; cheap.Fallback || dear.Fallback {
			// A busy machine keeps records from the log in time; what had given way stays so.
			t.Logf("%v: fall-back %q, %q", people[i], cheap.Reason, dear.Reason)
			if len(sent[i]) > 1 {
				t.Errorf("%v was sent %v", people[i], sent[i])
			}
			continue
		}
		whole++
		if len(sent[i]) != 1 || sent[i][0] != "dear" {
			t.Errorf("%v was sent %v", people[i], sent[i])
		}
	}
	if whole == 0 {
		t.Error("no two decisions were recorded in time")
	}
}

func TestArbitrationIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Cap{
		"arbitration.windowMinutes": {Limit: 1, Hours: 1, Arbitration: &Arbitration{WindowMinutes: -1}},
		"arbitration":               {Limit: 1, Hours: 1, Class: ClassService, Arbitration: &Arbitration{}},
	} {
		if err := ValidateCap(t.Context(), "one", &c); err == nil || !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
