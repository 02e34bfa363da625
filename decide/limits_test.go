package decide

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
	"unsafe"

	"quintet/decide/caps"
	"quintet/internal/definitions"
	"quintet/internal/stream"
	"quintet/profiles"
)

func putCap(t testing.TB, w *world, key string, c Cap) {
	t.Helper()
	if _, err := w.Caps().Put(t.Context(), key, c, "test", 0); err != nil {
		t.Fatal(err)
	}
}

// restart opens the service anew on what is stored.
func (w *world) restart(t testing.TB) *Service {
	t.Helper()
	store, err := definitions.Open(t.Context(), w.pool, w.deps.Logger)
	if err != nil {
		t.Fatal(err)
	}
	deps := w.deps
	deps.Definitions = store
	s, err := Open(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onSite is a point whose only contact is spring on a channel.
func onSite(channel string) DecisionPoint {
	return hero(func(p *DecisionPoint) { p.Offers, p.Channels, p.Creatives = []string{"spring"}, []string{channel}, nil })
}

// TestCapsHold decides side by side for few people, releases some, loses everything in
// memory in between, and counts in the stream what was decided.
func TestCapsHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "home", onSite("email"))
	putCap(t, w, "two-a-week", Cap{Limit: 2, Hours: 168})
	released := map[string]bool{}
	var mu sync.Mutex
	decide := func(s *Service) {
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				for n := range 12 {
					// 1 and 2 have an address.
					resp, err := s.Decide(t.Context(), &Request{Decision: "home", User: w.person(1 + n%2)}, "key-1")
					if err != nil {
						t.Error(err)
						return
					}
					if resp.Where != nil && worker == 0 && n < 4 {
						if err := s.Release(t.Context(), resp.DecisionID); err != nil {
							t.Error(err)
						}
						mu.Lock()
						released[resp.DecisionID] = true
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
	}
	decide(w.Service)
	again := w.restart(t)
	if again.contactsHeld.Size() == 0 || again.contactsHeld.Size() != w.contactsHeld.Size() {
		t.Errorf("after a restart %d contacts are known of %d", again.contactsHeld.Size(), w.contactsHeld.Size())
	}
	decide(again)
	contacts, refused := map[string]int{}, 0
	end, err := w.topic.Publish(t.Context(), []byte{markVersion})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.topic.Scan(t.Context(), end, func(m stream.Message) error {
		if isMark(m.Data) {
			return nil
		}
		var r row
		if err := r.decode(unsafe.String(unsafe.SliceData(m.Data), len(m.Data))); err != nil {
			return err
		}
		if r.Channel != "" && !released[r.DecisionID] {
			contacts[r.ProfileID]++
		}
		for _, x := range r.Removed {
			if x.Rule == "cap:two-a-week" {
				refused++
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(contacts) != 2 || refused == 0 {
		t.Fatalf("contacts of %d people, %d refusals", len(contacts), refused)
	}
	for person, n := range contacts {
		if n != 2 {
			t.Errorf("%s has %d contacts of 2", person, n)
		}
	}
}

func TestCapIsExplainedAndReplayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	if _, err := w.offers.Put(t.Context(), "spring", Offer{Active: true, Tags: []string{"sale"}}, "test", 0); err != nil {
		t.Fatal(err)
	}
	w.put(t, "home", onSite("email"))
	putCap(t, w, "one-sale", Cap{Limit: 1, Calendar: "month", Tags: []string{"sale"}})
	var last *Record
	seen := 0
	for range 12 {
		_, rec := w.ask(t, Request{Decision: "home", User: w.person(1)})
		if rec.Channel != "" {
			if seen++; len(rec.Tags) != 1 || rec.Tags[0] != "sale" {
				t.Errorf("tags %v", rec.Tags)
			}
		}
		last = rec
	}
	if seen != 1 || last.Action != NoneAction || len(last.Removed) != 1 || last.Removed[0].Rule != "cap:one-sale" {
		t.Fatalf("%d contacts, then %s without %v", seen, last.Action, last.Removed)
	}
	out, err := w.Explain(t.Context(), last.DecisionID)
	if err != nil || !out.Replay.Agrees {
		t.Fatalf("%+v %v", out.Replay, err)
	}
	w.flush(t)
	logged, err := w.query(t.Context(), "ORDER BY decision_id LIMIT 20")
	if err != nil {
		t.Fatal(err)
	}
	tagged := 0
	for _, rec := range logged {
		tagged += len(rec.Tags)
	}
	if tagged != 1 {
		t.Errorf("%d tags in the log", tagged)
	}
	// A cap that forbids a message that is late keeps it from being sent.
	w.setClock(func() time.Time { return time.Now().Add(40 * 24 * time.Hour) })
	_, other := w.ask(t, Request{Decision: "home", User: w.person(1)})
	for range 20 {
		if other.Channel != "" {
			break
		}
		_, other = w.ask(t, Request{Decision: "home", User: w.person(1)})
	}
	var early string
	for _, rec := range logged {
		if rec.Channel != "" {
			early = rec.DecisionID
		}
	}
	var refused *CapError
	if err := w.Commit(t.Context(), early); !errors.As(err, &refused) || refused.Rule != "cap:one-sale" {
		t.Errorf("committed %v", err)
	}
	if err := w.Commit(t.Context(), other.DecisionID); err != nil {
		t.Error(err)
	}
	if err := w.Release(t.Context(), other.DecisionID); err != nil {
		t.Error(err)
	}
	if err := w.Commit(t.Context(), early); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

// A message that the provider was too busy for counts where it is tried again, before and
// after a restart.
func TestContactThatIsPutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	point := onSite("email")
	point.NoneAction = new(false)
	w.put(t, "home", point)
	putCap(t, w, "one-a-day", Cap{Limit: 1, Hours: 24})
	begin := time.Now().UTC().Truncate(time.Hour)
	w.stand(begin)
	contacted := func(s *Service) bool {
		t.Helper()
		rec, err := s.Preview(t.Context(), &Request{Decision: "home", User: w.person(1)}, "key-1")
		if err != nil {
			t.Fatal(err)
		}
		return rec.Channel != ""
	}
	resp, _ := w.ask(t, Request{Decision: "home", User: w.person(1)})
	if resp.Where == nil {
		t.Fatal("nothing is sent")
	}
	if err := w.Commit(t.Context(), resp.DecisionID); err != nil {
		t.Fatal(err)
	}
	if err := w.Postpone(t.Context(), resp.DecisionID, begin.Add(30*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if w.stand(begin.Add(24 * time.Hour)); contacted(w.Service) {
		t.Error("the contact counts where it was not made")
	}
	w.stand(begin.Add(31 * time.Minute))
	for range 2 { // the second changes nothing
		if err := w.Commit(t.Context(), resp.DecisionID); err != nil {
			t.Fatal(err)
		}
		w.stand(w.read().Add(time.Hour))
	}
	w.deps.Now = w.read
	again := w.restart(t)
	for _, s := range []*Service{w.Service, again} {
		if w.stand(begin.Add(24*time.Hour + 30*time.Minute)); contacted(s) {
			t.Error("less than a day after the contact there is room")
		}
		if w.stand(begin.Add(24*time.Hour + 31*time.Minute)); !contacted(s) {
			t.Error("a day after the contact there is no room")
		}
	}
}

// TestQuietHoursHoldAndDrop moves the clock over a year, both changes of daylight saving
// among it, and looks at what the clock of the person shows.
func TestQuietHoursHoldAndDrop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, "held", onSite("email"))
	w.put(t, "spread", hero(func(p *DecisionPoint) {
		p.Offers, p.Channels, p.Creatives, p.When = []string{"spring"}, []string{"email"}, nil, &Timing{Mode: timingSpread, WithinHours: 12}
	}))
	w.put(t, "shown", onSite("onsite"))
	if _, err := w.QuietHours().Put(t.Context(), "night", QuietHours{From: "21:00", To: "09:00"}, "test", 0); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 27, 0, 0, 0, 0, time.UTC)
	held, spread := 0, 0
	for i := range 240 {
		step := 37 * time.Minute
		if i == 120 {
			at = time.Date(2026, 10, 23, 0, 0, 0, 0, time.UTC)
		}
		at = at.Add(step)
		w.stand(at)
		for _, point := range []string{"held", "spread"} {
			resp, rec := w.ask(t, Request{Decision: point, User: w.person(1), Context: map[string]any{"timezone": "Europe/Berlin"}})
			if rec.Channel == "" {
				continue
			}
			local := rec.SendAt.In(berlin)
			if h := local.Hour(); h < 9 || h >= 21 {
				t.Fatalf("decided at %s to be sent at %s", rec.DecidedAt.In(berlin), local)
			}
			if rec.SendAt.Before(rec.DecidedAt) || !resp.When.SendAt.Equal(rec.SendAt) || resp.ExpiresAt.Before(rec.SendAt) {
				t.Fatalf("decided at %s, sent at %s, answered %v, expires %s", rec.DecidedAt, rec.SendAt, resp.When, resp.ExpiresAt)
			}
			if rec.SendAt.After(rec.DecidedAt) {
				held++
			}
			if len(rec.Slots) > 1 {
				spread++
				if want := 1 / float64(len(rec.Slots)); rec.Propensities.When != want {
					t.Fatalf("probability %g of the moment, want %g", rec.Propensities.When, want)
				}
			}
			if replay, err := w.Replay(t.Context(), rec); err != nil || !replay.Agrees {
				t.Fatalf("%+v %v", replay, err)
			}
		}
		if resp, _ := w.ask(t, Request{Decision: "shown", User: w.person(1)}); resp.When != nil && !resp.When.SendAt.Equal(at) {
			t.Fatalf("what is shown was put off to %s", resp.When.SendAt)
		}
	}
	if held < 20 || spread < 20 {
		t.Fatalf("%d contacts were put off, %d were spread", held, spread)
	}
	if _, err := w.QuietHours().Put(t.Context(), "night", QuietHours{From: "21:00", To: "09:00", Action: quietDrop, Countries: []string{"de"}}, "test", 0); err != nil {
		t.Fatal(err)
	}
	w.stand(time.Date(2026, 6, 1, 23, 0, 0, 0, time.UTC))
	_, rec := w.ask(t, Request{Decision: "held", User: w.person(1), Context: map[string]any{"country": "DE"}})
	if len(rec.Removed) != 1 || rec.Removed[0].Rule != "quiet-hours:night" {
		t.Errorf("removed %v", rec.Removed)
	}
	if _, rec = w.ask(t, Request{Decision: "held", User: w.person(1), Context: map[string]any{"country": "US"}}); len(rec.Removed) != 0 {
		t.Errorf("removed %v", rec.Removed)
	}
}

// Of people whose zone is not known each quiet hours are by the clock of their own zone,
// when it is decided and when it is sent.
func TestQuietHoursByTheirOwnZones(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	point := onSite("email")
	point.NoneAction = new(false)
	w.put(t, "held", point)
	for key, zone := range map[string]string{"here": "UTC", "there": "Asia/Tokyo"} { // Tokyo: from 12:00 to 23:00 in UTC
		if _, err := w.QuietHours().Put(t.Context(), key, QuietHours{From: "21:00", To: "08:00", TimeZone: zone, Channels: []string{"email"}}, "test", 0); err != nil {
			t.Fatal(err)
		}
	}
	for clock, want := range map[string]string{"08:00": "08:00", "11:59": "11:59", "12:00": "08:00", "20:30": "08:00", "22:30": "08:00", "23:00": "08:00", "02:00": "08:00"} {
		at, err := time.Parse(time.RFC3339, "2026-06-01T"+clock+":00Z")
		if err != nil {
			t.Fatal(err)
		}
		w.stand(at)
		_, rec := w.ask(t, Request{Decision: "held", User: w.person(1)})
		if got := rec.SendAt.UTC().Format("15:04"); rec.Channel == "" || got != want {
			t.Errorf("decided at %s to be sent at %q on %q, want %s", clock, got, rec.Channel, want)
		}
		view, _ := w.people.Lookup([]profiles.Identifier{{Namespace: "userId", Value: w.person(1)["userId"]}})
		if next, ok := w.Quiet(view, "email", ClassAdvertising, at); !ok || next.UTC().Format("15:04") != want {
			t.Errorf("sent at %s it waits until %s, want %s", clock, next, want)
		}
		if next, ok := w.Quiet(view, "email", ClassService, at); !ok || !next.Equal(at) {
			t.Errorf("a service message waits until %s", next)
		}
	}
}

func TestBudgetsHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "home", onSite("onsite"))
	began := time.Now().Add(-time.Hour)
	if _, err := w.Budgets().Put(t.Context(), "codes", Budget{Unit: unitContacts, Limit: 7, StartsAt: began, Offers: []string{"spring"}}, "test", 0); err != nil {
		t.Fatal(err)
	}
	ask := func(s *Service) (sent int) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for n := range 10 {
					resp, err := s.Decide(t.Context(), &Request{Decision: "home", User: w.person(worker*10 + n)}, "key-1")
					if err != nil {
						t.Error(err)
					} else if resp.Where != nil {
						mu.Lock()
						sent++
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		return sent
	}
	if n := ask(w.Service); n != 7 {
		t.Errorf("%d contacts of 7", n)
	}
	again := w.restart(t)
	if n := ask(again); n != 0 {
		t.Errorf("%d contacts after a restart", n)
	}
	// A budget that comes later counts what was decided in its time.
	if _, err := again.Budgets().Put(t.Context(), "money", Budget{Unit: unitMoney, Limit: 1, StartsAt: began, EndsAt: new(time.Now().Add(time.Hour)), Paced: true}, "test", 0); err != nil {
		t.Fatal(err)
	}
	if err := again.loadLimits(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := again.spending.Standing("codes"); s.Spent != 7 {
		t.Errorf("%+v", s)
	}
}

func TestAudienceStockAndShadow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true, change: func(d *Deps) { d.Stock = shelf{"sku-1": true, "sku-2": true, "sku-3": true} }})
	w.put(t, "paid", hero(func(p *DecisionPoint) { p.Audience = []byte(`{"plan":"paid"}`) }))
	w.put(t, "watch", hero(func(p *DecisionPoint) { p.Shadow, p.NoneAction = true, new(false) }))
	for i, eligible := range map[int]bool{1: true, 2: false} { // paid, free
		_, rec := w.ask(t, Request{Decision: "paid", User: w.person(i)})
		if rec.Eligible != eligible || !eligible && (len(rec.Reasons) != 1 || rec.Reasons[0] != reasonAudience) {
			t.Errorf("person %d: eligible %v %v", i, rec.Eligible, rec.Reasons)
		}
		if replay, err := w.Replay(t.Context(), rec); err != nil || !replay.Agrees {
			t.Errorf("%+v %v", replay, err)
		}
	}
	resp, rec := w.ask(t, Request{Decision: "watch", User: w.person(1)})
	if resp.Who.Eligible || resp.What != nil || rec.Action == "" || rec.Reasons[0] != reasonShadow || rec.Propensity <= 0 {
		t.Errorf("answered %+v, recorded %s", resp, rec.Action)
	}
	if replay, err := w.Replay(t.Context(), rec); err != nil || !replay.Agrees {
		t.Errorf("%+v %v", replay, err)
	}
	if _, err := w.offers.Put(t.Context(), "spring", Offer{Active: true, Items: []string{"sku-1"}, Stocked: true}, "test", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.offers.Put(t.Context(), "summer", Offer{Active: true, Applicable: []byte(`{"plan":"paid"}`)}, "test", 0); err != nil {
		t.Fatal(err)
	}
	_, rec = w.ask(t, Request{Decision: "watch", User: w.person(2)})
	rules := map[string]int{}
	for _, x := range rec.Removed {
		rules[x.Rule]++
	}
	if rules[ruleOutOfStock] != 4 || rules[ruleNotApplicable] != 4 {
		t.Errorf("removed %v", rules)
	}
}

func TestLimitDefinitionsAreChecked(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	now := time.Now()
	for name, err := range map[string]error{
		"a cap of zero":              ValidateCap(ctx, "c", &Cap{Limit: 0, Hours: 1}),
		"a cap without a window":     ValidateCap(ctx, "c", &Cap{Limit: 1}),
		"a cap with two windows":     ValidateCap(ctx, "c", &Cap{Limit: 1, Hours: 1, Calendar: "day"}),
		"quiet for ever":             ValidateQuietHours(ctx, "q", &QuietHours{From: "00:00", To: "00:00"}),
		"quiet at 25":                ValidateQuietHours(ctx, "q", &QuietHours{From: "25:00", To: "00:00"}),
		"quiet nowhere":              ValidateQuietHours(ctx, "q", &QuietHours{From: "21:00", To: "09:00", TimeZone: "Moon/Base"}),
		"a budget of nothing":        ValidateBudget(ctx, "b", &Budget{Unit: unitMoney, StartsAt: now}),
		"a budget paced for ever":    ValidateBudget(ctx, "b", &Budget{Unit: unitMoney, Limit: 1, StartsAt: now, Paced: true}),
		"a budget that ends first":   ValidateBudget(ctx, "b", &Budget{Unit: unitMoney, Limit: 1, StartsAt: now, EndsAt: &now}),
		"an audience that is broken": ValidatePoint(ctx, "p", &DecisionPoint{Policy: Policy{Type: PolicyUniform}, Audience: []byte(`{"plan":{"$in":1}}`)}),
	} {
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if err := ValidateQuietHours(ctx, "q", &QuietHours{From: "21:00", To: "09:00", Days: []string{"monday"}}); err != nil {
		t.Error(err)
	}
}

// BenchmarkLimits prints the time of asking the limits of a decision beside that of
// making its id.
func BenchmarkLimits(b *testing.B) {
	s := &Service{contactsHeld: caps.NewLedger(0)}
	rules := []caps.Rule{{Key: "a", Limit: 20, Rolling: 24 * time.Hour}, {Key: "b", Limit: 20, Calendar: caps.Week, Channels: []string{"email"}}}
	s.contactsHeld.SetRules(rules)
	now := time.Now()
	for i := range 10 {
		s.contactsHeld.Reserve(caps.Contact{ID: fmt.Sprint(i), Person: "p", Class: ClassAdvertising, Channel: "email", At: now.Add(time.Duration(i) * time.Minute)})
	}
	p := &point{def: DecisionPoint{Class: ClassAdvertising}}
	actions := make([]action, 500)
	for i := range actions {
		actions[i] = action{id: "x", offerKey: fmt.Sprint("offer-", i/5), chanKey: "email", channel: &Channel{Kind: "email"}, creative: &Creative{}, offer: &Offer{}}
	}
	rec := &Record{DecisionID: "d", ProfileID: "p", DecidedAt: now}
	l := &limits{caps: rules}
	began := time.Now()
	const rounds = 100_000
	for range rounds {
		newDecisionID(now)
	}
	one := float64(time.Since(began).Nanoseconds()) / rounds
	var q permission
	b.ReportAllocs()
	for b.Loop() {
		q.begin(s, l, rec, nil, nil)
		for i := range actions {
			s.permits(p, &actions[i], rec, &q)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/one, "x-id")
}
