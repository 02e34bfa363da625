package caps

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)

func TestRules(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		m, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for name, c := range map[string]struct {
		rule    Rule
		history []Contact
		contact Contact
		refused bool
	}{
		"two of two in 24 hours":                 {Rule{Limit: 2, Rolling: 24 * time.Hour}, []Contact{{ID: "a", At: start}, {ID: "b", At: start.Add(time.Hour)}}, Contact{At: start.Add(2 * time.Hour)}, true},
		"the first leaves the window as it ends": {Rule{Limit: 1, Rolling: 24 * time.Hour}, []Contact{{ID: "a", At: start}}, Contact{At: start.Add(24 * time.Hour)}, false},
		"planned before one that is planned":     {Rule{Limit: 1, Rolling: 24 * time.Hour}, []Contact{{ID: "a", At: start.Add(10 * time.Hour)}}, Contact{At: start}, true},
		"between two":                            {Rule{Limit: 2, Rolling: 24 * time.Hour}, []Contact{{ID: "a", At: start}, {ID: "b", At: start.Add(30 * time.Hour)}}, Contact{At: start.Add(15 * time.Hour)}, false},
		"another channel is not counted":         {Rule{Limit: 1, Rolling: time.Hour, Channels: []string{"sms"}}, []Contact{{ID: "a", Channel: "email", At: start}}, Contact{Channel: "sms", At: start}, false},
		"another class is not limited":           {Rule{Limit: 1, Rolling: time.Hour, Class: "advertising"}, []Contact{{ID: "a", Class: "advertising", At: start}}, Contact{Class: "service", At: start}, false},
		"one tag in common":                      {Rule{Limit: 1, Rolling: time.Hour, Tags: []string{"discount", "sale"}}, []Contact{{ID: "a", Tags: []string{"sale"}, At: start}}, Contact{Tags: []string{"discount"}, At: start}, true},
		"before and after local midnight": {Rule{Limit: 1, Calendar: Day}, []Contact{{ID: "a", At: at("2026-06-01T21:30:00Z")}},
			Contact{At: at("2026-06-01T22:30:00Z"), Zone: berlin}, false},
		"before and after midnight of another zone": {Rule{Limit: 1, Calendar: Day}, []Contact{{ID: "a", At: at("2026-06-01T23:30:00Z")}},
			Contact{At: at("2026-06-02T00:30:00Z"), Zone: berlin}, true},
		"Sunday and Monday":      {Rule{Limit: 1, Calendar: Week}, []Contact{{ID: "a", At: at("2026-06-07T12:00:00Z")}}, Contact{At: at("2026-06-08T12:00:00Z")}, false},
		"Monday and Sunday":      {Rule{Limit: 1, Calendar: Week}, []Contact{{ID: "a", At: at("2026-06-01T12:00:00Z")}}, Contact{At: at("2026-06-07T12:00:00Z")}, true},
		"two ends of a month":    {Rule{Limit: 1, Calendar: Month}, []Contact{{ID: "a", At: at("2026-06-01T12:00:00Z")}}, Contact{At: at("2026-06-30T12:00:00Z")}, true},
		"the contact itself":     {Rule{Limit: 1, Rolling: time.Hour}, []Contact{{ID: "x", At: start}}, Contact{ID: "x", At: start}, false},
		"the year's end, by day": {Rule{Limit: 1, Calendar: Day}, []Contact{{ID: "a", At: at("2026-12-31T12:00:00Z")}}, Contact{At: at("2027-01-01T12:00:00Z")}, false},
	} {
		c.rule.Key = "r"
		if got := Refused([]Rule{c.rule}, c.history, &c.contact); (got == "r") != c.refused {
			t.Errorf("%s: refused %q", name, got)
		}
	}
}

// broken looks for a window with too many contacts in another way than the ledger: by
// counting at every contact, for each rule by itself.
func broken(rules []Rule, all []Contact) string {
	for _, r := range rules {
		byPerson := map[string][]Contact{}
		for _, c := range all {
			if (r.Class == "" || r.Class == c.Class) && (len(r.Channels) == 0 || slices.Contains(r.Channels, c.Channel)) {
				byPerson[c.Person] = append(byPerson[c.Person], c)
			}
		}
		for person, list := range byPerson {
			slices.SortFunc(list, func(a, b Contact) int { return a.At.Compare(b.At) })
			for i := range list {
				j := i + r.Limit
				if r.Rolling > 0 && j < len(list) && list[j].At.Sub(list[i].At) < r.Rolling {
					return fmt.Sprintf("%s: %s has %d contacts in less than %s", r.Key, person, r.Limit+1, r.Rolling)
				}
				if r.Rolling == 0 && j < len(list) && list[j].At.Format("2006-01-02") == list[i].At.Format("2006-01-02") {
					return fmt.Sprintf("%s: %s has %d contacts on a day", r.Key, person, r.Limit+1)
				}
			}
		}
	}
	return ""
}

// TestNoScheduleExceedsACap lets several processes of one owner decide, send at another
// moment, fail and restart at once, and counts what was sent.
func TestNoScheduleExceedsACap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := []Rule{
			{Key: "all", Limit: rapid.IntRange(1, 4).Draw(t, "limit"), Rolling: time.Duration(rapid.IntRange(1, 48).Draw(t, "hours")) * time.Hour},
			{Key: "day", Limit: rapid.IntRange(1, 3).Draw(t, "daily"), Calendar: Day, Class: "advertising"},
			{Key: "sms", Limit: 1, Rolling: 36 * time.Hour, Channels: []string{"sms"}},
		}
		ledger := NewLedger(0)
		ledger.SetRules(rules)
		seed := rapid.Uint64().Draw(t, "seed")
		var mu sync.Mutex
		journal := map[string]Contact{} // what a restart reads
		var wg sync.WaitGroup
		var gate sync.RWMutex // a restart happens between calls
		for worker := range 4 {
			wg.Go(func() {
				chance := rand.New(rand.NewPCG(seed, uint64(worker)))
				for n := range 40 {
					gate.RLock()
					c := Contact{ID: fmt.Sprint(worker, "-", n), Person: fmt.Sprint("p", chance.IntN(2)), Class: []string{"advertising", "service"}[chance.IntN(2)],
						Channel: []string{"sms", "email"}[chance.IntN(2)], At: start.Add(time.Duration(chance.IntN(96*60)) * time.Minute)}
					if _, ok := ledger.Reserve(c); ok {
						mu.Lock()
						journal[c.ID] = c
						mu.Unlock()
						switch chance.IntN(4) {
						case 0: // fails
							mu.Lock()
							delete(journal, c.ID)
							mu.Unlock()
							ledger.Release(c.ID)
						case 2: // is to be sent, cannot be, and is tried again
							if _, came := ledger.Commit(c.ID, c.At); !came.Known || came.Rule != "" {
								break
							}
							at := c.At.Add(time.Duration(1+chance.IntN(600)) * time.Minute)
							ledger.Postpone(c.ID, at)
							made, came := ledger.Commit(c.ID, at)
							rule := came.Rule
							if again, _ := ledger.Commit(c.ID, at.Add(time.Hour)); rule == "" && !again.Equal(made) {
								panic("made again")
							}
							mu.Lock()
							if c.At = at; rule == "" {
								journal[c.ID] = c
							} else {
								delete(journal, c.ID)
							}
							mu.Unlock()
							if rule != "" {
								ledger.Release(c.ID)
							}
						case 1: // is sent later
							at := c.At.Add(time.Duration(chance.IntN(600)) * time.Minute)
							if _, came := ledger.Commit(c.ID, at); came.Known && came.Rule == "" {
								mu.Lock()
								c.At = at
								journal[c.ID] = c
								mu.Unlock()
							}
						}
					}
					gate.RUnlock()
					if chance.IntN(20) == 0 { // everything in memory is lost
						gate.Lock()
						fresh := NewLedger(0)
						fresh.SetRules(rules)
						for _, c := range journal {
							fresh.Observe(c)
							fresh.Observe(c)
						}
						ledger = fresh
						gate.Unlock()
					}
				}
			})
		}
		wg.Wait()
		var all []Contact
		for _, c := range journal {
			all = append(all, c)
		}
		if len(all) == 0 {
			t.Fatal("nothing was contacted")
		}
		if why := broken(rules, all); why != "" {
			t.Fatal(why)
		}
		if ledger.Size() != len(all) {
			t.Fatalf("the ledger holds %d contacts of %d", ledger.Size(), len(all))
		}
	})
}

func TestLedgerForgets(t *testing.T) {
	t.Parallel()
	l := NewLedger(3)
	l.SetRules([]Rule{{Key: "a", Limit: 10, Rolling: time.Hour}})
	for i := range 3 {
		if rule, ok := l.Reserve(Contact{ID: fmt.Sprint(i), Person: fmt.Sprint("p", i%2), At: start}); !ok {
			t.Fatal(rule)
		}
	}
	if rule, ok := l.Reserve(Contact{ID: "x", Person: "p", At: start}); ok || rule != RefusedFull {
		t.Errorf("a full ledger reserved (%q)", rule)
	}
	if n := l.Forget([]string{"p0"}); n != 2 || l.Size() != 1 {
		t.Errorf("forgot %d, %d left", n, l.Size())
	}
	if n := l.Sweep(start.Add(3 * time.Hour)); n != 1 || l.Size() != 0 {
		t.Errorf("swept %d, %d left", n, l.Size())
	}
	if _, came := l.Commit("1", start); came.Known || l.Release("1") {
		t.Error("a contact that was swept is still there")
	}
}

func TestRefusedDoesNotAllocate(t *testing.T) {
	rules := []Rule{{Key: "a", Limit: 3, Rolling: 24 * time.Hour, Class: "advertising"}, {Key: "b", Limit: 3, Calendar: Day, Tags: []string{"sale"}}}
	history := []Contact{{ID: "1", Class: "advertising", At: start}, {ID: "2", Class: "advertising", Tags: []string{"sale"}, At: start}}
	c := Contact{ID: "3", Class: "advertising", Tags: []string{"sale"}, At: start.Add(time.Hour)}
	if n := testing.AllocsPerRun(100, func() { Refused(rules, history, &c) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
