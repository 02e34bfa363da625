package decide

import (
	"context"
	"fmt"
	"testing"
	"time"

	"quintet/experiments"
	"quintet/internal/problem"
	"quintet/internal/stream"
	"quintet/models"
	"quintet/profiles"
)

// Dependencies that panic when told to.
type (
	brokenPeople struct {
		*crowd
		broken *bool
	}
	brokenModels struct{ broken *bool }
	brokenStock  struct{ broken *bool }
)

func (b brokenPeople) Lookup(ids []profiles.Identifier) (*profiles.View, bool) {
	if *b.broken {
		panic("people are gone")
	}
	return b.crowd.Lookup(ids)
}

func (b brokenModels) Current(string) *models.Snapshot {
	if *b.broken {
		panic("models are gone")
	}
	return nil
}

func (b brokenModels) AtVersion(context.Context, string, int64) (*models.Snapshot, error) {
	return nil, problem.NotFound("model", "x")
}

func (b brokenStock) InStock(string) bool {
	if *b.broken {
		panic("stock is gone")
	}
	return true
}

// wantFallback checks the form of a fall-back: an action, or "" for nobody addressed,
// or none.
func wantFallback(t *testing.T, w *world, resp *Response, reason, action string) {
	t.Helper()
	if !resp.Fallback || resp.Reason != reason || resp.Propensity != 0 || len(resp.Experiments) != 0 || resp.Policy.Type != "none" || len(resp.DecisionID) != 26 {
		t.Errorf("fall-back %+v, want the reason %s", resp, reason)
	}
	got := ""
	switch {
	case resp.What != nil:
		got = resp.What.Offer + "/" + resp.Where.Channel + "/" + resp.How.Creative
	case resp.Who.Eligible:
		got = NoneAction
	}
	if got != action {
		t.Errorf("fall-back to %q, want %q", got, action)
	}
	if _, ok := w.recent.get(resp.DecisionID); ok {
		t.Error("a fall-back is recorded")
	}
}

func TestFallbackWhenADependencyFails(t *testing.T) {
	t.Parallel()
	var people, learned, stock bool
	w := newWorld(t, worldOptions{noSink: true, holdout: 0.5, change: func(d *Deps) {
		d.People, d.Models, d.Stock = brokenPeople{d.People.(*crowd), &people}, brokenModels{&learned}, brokenStock{&stock}
	}})
	byDefault := func(action string, more ...func(*DecisionPoint)) DecisionPoint {
		return hero(append(more, func(p *DecisionPoint) { p.DefaultAction = action })...)
	}
	service := func(p *DecisionPoint) { p.Class = ClassService }
	w.put(t, "onsite", byDefault("spring/onsite/a"))
	w.put(t, "email", byDefault("spring/email/a"))
	w.put(t, "closed", byDefault("over/onsite/a", func(p *DecisionPoint) { p.Offers = []string{"over"}; p.NoneAction = new(false) }))
	w.put(t, "receipt", byDefault("spring/onsite/a", service))
	w.put(t, "receipt-email", byDefault("spring/email/a", service))
	held := func(i int) bool {
		return experiments.Bucket(experiments.UniversalExperiment, profiles.NewID(profiles.Identifier{Namespace: "userId", Value: fmt.Sprint("u", i)})) < 0.5
	}
	pick := func(wantHeld, reachable bool) map[string]string {
		for i := 1; ; i++ {
			if held(i) == wantHeld && (i%3 != 0) == reachable {
				return w.person(i)
			}
		}
	}
	ask := func(point string, user map[string]string) *Response {
		resp, err := w.Decide(t.Context(), &Request{Decision: point, User: user, Limit: 2}, "")
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	treated, held1, unreachable := pick(false, true), pick(true, true), pick(false, false)

	learned = true
	resp := ask("onsite", treated)
	wantFallback(t, w, resp, fallbackInternal, "spring/onsite/a")
	if len(resp.What.Items) != 2 {
		t.Errorf("%d items, want as many as were asked for", len(resp.What.Items))
	}
	wantFallback(t, w, ask("email", treated), fallbackInternal, "spring/email/a")
	wantFallback(t, w, ask("email", unreachable), fallbackInternal, NoneAction) // the rule that closed it holds
	if resp := ask("onsite", held1); resp.Fallback || resp.Who.Eligible || resp.Who.Group != GroupHoldout {
		t.Errorf("the holdout needs no model: %+v", resp)
	}
	learned = false

	// Before the group is known, nobody is sent advertising.
	people = true
	for _, user := range []map[string]string{treated, held1} {
		wantFallback(t, w, ask("onsite", user), fallbackInternal, "")
		wantFallback(t, w, ask("receipt", user), fallbackInternal, "spring/onsite/a")
		wantFallback(t, w, ask("receipt-email", user), fallbackInternal, NoneAction) // nobody knows whether there is an address
	}
	people = false

	// Stock that cannot be told offers nothing, and does not break the fall-back.
	stock = true
	w.put(t, "fixed", byDefault("", service, func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyFixed, Action: "spring/onsite/a"} }))
	if resp := ask("fixed", treated); resp.Fallback || resp.What == nil || len(resp.What.Items) != 0 {
		t.Errorf("without stock: %+v", resp)
	}
	people = true
	wantFallback(t, w, ask("receipt", treated), fallbackInternal, "spring/onsite/a")
}

func TestFallbackWhenTheStreamFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true, holdout: 0.5, stream: stream.Options{MaxBytes: 64 << 10}})
	w.put(t, "hero", hero(func(p *DecisionPoint) { p.DefaultAction = "spring/onsite/a" }))
	w.put(t, "closed", hero(func(p *DecisionPoint) {
		p.Offers, p.DefaultAction, p.NoneAction = []string{"over"}, "over/onsite/a", new(false)
	}))
	full := false
	for i := range 5000 {
		resp, err := w.Decide(t.Context(), &Request{Decision: "hero", User: w.person(i)}, "")
		if err != nil {
			t.Fatal(err)
		}
		if !full && !resp.Fallback {
			continue
		}
		if full = true; experiments.Bucket(experiments.UniversalExperiment, resp.Who.ProfileID) < 0.5 {
			wantFallback(t, w, resp, fallbackOverloaded, "")
			if resp.Who.Group != GroupHoldout {
				t.Errorf("group %s of somebody who is held out", resp.Who.Group)
			}
			continue
		}
		wantFallback(t, w, resp, fallbackOverloaded, "spring/onsite/a")
		closed := new(Response)
		for range 1000 { // its record is smaller and may still find room
			if closed, err = w.Decide(t.Context(), &Request{Decision: "closed", User: w.person(i)}, ""); err != nil {
				t.Fatal(err)
			}
			if closed.Fallback {
				break
			}
		}
		wantFallback(t, w, closed, fallbackOverloaded, "") // the offer is over
		break
	}
	if !full {
		t.Fatal("the stream never filled up")
	}
	var err error
	for i := 0; i < 1000 && err == nil; i++ { // it is smaller still
		_, err = w.LogExternal(t.Context(), []External{{DecisionID: newDecisionID(time.Now()), Decision: "hero", User: w.person(1), DecidedAt: time.Now(),
			Action: "x", Candidates: []string{"x"}, Probabilities: []float64{1}}}, "")
	}
	if err == nil {
		t.Fatal("decisions of another system find room for ever")
	}
	if p := problem.From(err); p.GetStatus() != 429 || p.RetryAfter <= 0 {
		t.Errorf("logging into a full stream: %v", err)
	}
}

func TestFallbackWhenTheDeadlinePasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	w.put(t, "hero", hero())
	w.deadline = time.Nanosecond
	resp, err := w.Decide(t.Context(), &Request{Decision: "hero", User: w.person(1)}, "")
	if err != nil {
		t.Fatal(err)
	}
	wantFallback(t, w, resp, fallbackDeadline, NoneAction)
	w.deadline = 5 * time.Second
	// A caller that went away changes nothing: the record is kept.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if resp, err = w.Decide(gone, &Request{Decision: "hero", User: w.person(1)}, ""); err != nil || resp.Fallback {
		t.Fatalf("for a caller that went away: %+v (%v)", resp, err)
	}
	if _, ok := w.recent.get(resp.DecisionID); !ok {
		t.Error("no record")
	}
	if err := w.deps.Stream.Close(); err != nil {
		t.Fatal(err)
	}
	if resp, err = w.Decide(t.Context(), &Request{Decision: "hero", User: w.person(1)}, ""); err != nil {
		t.Fatal(err)
	}
	wantFallback(t, w, resp, fallbackUnavailable, NoneAction)
}
