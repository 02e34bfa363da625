package decide

import (
	"strings"
	"testing"
	"time"
)

// An action is taken away while its rewards are on the way: they still count for what is
// known of it, nobody is given it any more, the others go on, and what it was given for
// can still be replayed.
func TestRemovedActionIsStillPaidFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	point := hero(func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyBandit, Exploration: new(0.1)} })
	w.put(t, "hero", point)
	w.teach(t, "hero", 600)
	before := w.learn.Latest("hero", "")

	var given []*Record
	for i := range 200 {
		if _, rec := w.ask(t, Request{Decision: "hero", User: w.person(i), Context: map[string]any{"hour": 3.0}}); rec.Offer == "spring" {
			given = append(given, rec)
		}
	}
	if len(given) == 0 {
		t.Fatal("nobody was given what is then taken away")
	}
	point.Offers = []string{"summer"}
	w.put(t, "hero", point)
	w.flush(t)
	batch, err := w.logged.Write.PrepareBatch(t.Context(), "INSERT INTO events (message_id, type, event, profile_id, decision_id, timestamp, received_at, numbers)")
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range given {
		at := time.Now()
		if err := batch.Append("late-"+rec.DecisionID, "track", "Order", rec.ProfileID, rec.DecisionID, at, at, map[string]float64{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	for _, spec := range w.Specs() {
		if err := w.learn.Update(t.Context(), spec); err != nil {
			t.Fatalf("learning of what was taken away: %v", err)
		}
	}
	after := w.learn.Latest("hero", "")
	if after.Version <= before.Version || after.Reward != before.Reward+float64(len(given)) {
		t.Errorf("version %d with reward %g after version %d with %g: %d rewards were on the way", after.Version, after.Reward, before.Version, before.Reward, len(given))
	}
	for i := range 100 {
		_, rec := w.ask(t, Request{Decision: "hero", User: w.person(i), Context: map[string]any{"hour": 3.0}})
		if strings.Contains(strings.Join(rec.Candidates, " "), "spring") || rec.Offer == "spring" || rec.Fallback {
			t.Fatalf("after it was taken away: %+v", rec)
		}
		if rec.Eligible && rec.Policy == PolicyBandit && rec.ModelVersion != after.Version {
			t.Fatalf("decided by version %d, not by %d", rec.ModelVersion, after.Version)
		}
		checkRecord(t, w.state.Load().points["hero"], rec)
	}
	if got, err := w.Replay(t.Context(), given[0]); err != nil || !got.Agrees {
		t.Errorf("what it was given for, replayed: %+v, %v", got, err)
	}
}
