package decide

import (
	"strings"
	"testing"
	"time"
)

// About somebody who was erased nothing is recorded: advertising does not reach them, and a
// service message is the default one.
func TestErasedPeopleAreNotRecorded(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	if _, err := w.channels.Put(t.Context(), "onsite", Channel{Active: true}, "test", 0); err != nil {
		t.Fatal(err)
	}
	point := func(class, action string) DecisionPoint {
		return hero(func(p *DecisionPoint) {
			p.Class, p.Offers, p.Channels, p.Features, p.DefaultAction = class, []string{"spring"}, []string{"onsite"}, nil, action
			p.Creatives = []Creative{{Key: "a"}}
		})
	}
	w.put(t, "hero", point(ClassAdvertising, "none"))
	w.put(t, "receipt", point(ClassService, "spring/onsite/a"))
	w.call(t, "POST", "/v1/identify", `{"userId":"u1","traits":{"plan":"paid"}}`)
	w.call(t, "POST", "/v1/suppressions", `{"items":[{"namespace":"userId","value":"u1","reason":"erasure"}]}`)
	_, before, _, err := w.topic.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(decision string) *Response {
		t.Helper()
		out, err := w.Decide(t.Context(), &Request{Decision: decision, User: map[string]string{"userId": "u1"}, Context: map[string]any{"note": "planted"}}, "test")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if r := ask("hero"); r.Who.Eligible || len(r.Who.Reasons) != 1 || r.Who.Reasons[0] != ruleSuppressed || r.Who.ProfileID != "" || r.What != nil {
		t.Errorf("advertising: %+v", r)
	}
	if r := ask("receipt"); !r.Who.Eligible || r.What == nil || r.What.Offer != "spring" || !r.Fallback {
		t.Errorf("a service message: %+v", r)
	}
	external := External{
		DecisionID: newDecisionID(time.Now()), Decision: "hero", User: map[string]string{"userId": "u1"}, DecidedAt: time.Now(),
		Action: "none", Candidates: []string{"none"}, Probabilities: []float64{1},
	}
	if n, err := w.LogExternal(t.Context(), []External{external}, "test"); n != 0 || err != nil {
		t.Errorf("%d decisions of another system were logged, %v", n, err)
	}
	if _, after, _, _ := w.topic.State(t.Context()); after != before {
		t.Errorf("%d records are in the stream", after-before)
	}
	if list, _ := w.recent.list(&Filter{Limit: 10}); len(list) != 0 {
		t.Errorf("%d decisions are in memory", len(list))
	}
}

// What is erased from memory is not in memory that is used again.
func TestRecentDecisionsAreErased(t *testing.T) {
	t.Parallel()
	r := newRecent(10, time.Now())
	for i, profile := range []string{"anna", "boris", "anna"} {
		rec := &Record{DecisionID: newDecisionID(time.Now().Add(time.Duration(i) * time.Millisecond)), Decision: "hero", ProfileID: profile, Context: map[string]any{"note": profile + "-planted"}}
		data, err := encodeRecord(rec)
		if err != nil {
			t.Fatal(err)
		}
		r.add(rec, data)
	}
	if n := r.erase([]string{"anna"}); n != 2 {
		t.Errorf("%d were erased", n)
	}
	if list, _ := r.list(&Filter{Limit: 10}); len(list) != 1 || list[0].ProfileID != "boris" {
		t.Errorf("%v are left", list)
	}
	for i := range r.ring {
		if strings.Contains(string(r.ring[i].data[:cap(r.ring[i].data)]), "anna") {
			t.Error("memory still holds the person")
		}
	}
}
