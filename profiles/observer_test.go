package profiles

import (
	"testing"

	"quintet/internal/stream"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

type noted struct {
	profile identity.ID
	event   AppliedEvent
	traits  bool
}

// note copies what it is shown, as its memory is used again.
type note struct{ seen []noted }

func (n *note) Applied(changed []Change) {
	for _, c := range changed {
		e := *c.Event
		e.Numbers = append([]tracking.Number(nil), e.Numbers...)
		n.seen = append(n.seen, noted{c.Profile, e, c.TraitsChanged})
	}
}

func TestObserversAreShownWhatIsApplied(t *testing.T) {
	t.Parallel()
	n := new(note)
	p := &projector{store: newStore(), names: newInterner(), moved: make(chan struct{}), wake: make(chan struct{}, 1), limit: 1000, observers: []Observer{n}}
	a, b := identity.NewID(Identifier{Namespace: identity.UserID, Value: "a"}), identity.NewID(Identifier{Namespace: identity.UserID, Value: "b"})
	var e encoder
	e.begin(recordHeader{received: 2000, stamp: 1, source: "key"})
	e.add(&item{profile: a, kind: tracking.Track, flags: flagUser, time: 1000, messageID: "1", userID: "a", event: "Bought", numbers: []tracking.Number{{Path: "revenue", Value: 7}}, properties: `{"revenue":7}`})
	e.add(&item{profile: b, kind: tracking.Identify, flags: flagUser, time: 1500, messageID: "2", userID: "b", event: "$identify", traits: `{"name":"B"}`})
	e.add(&item{profile: b, kind: tracking.Identify, flags: flagUser, time: 1400, messageID: "3", userID: "b", event: "$identify", traits: `{"name":"older"}`})
	record := append([]byte(nil), e.bytes()...)
	for range 2 { // the second time it is old
		if err := p.handle(t.Context(), []stream.Message{{Sequence: 5, Data: record}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(n.seen) != 3 {
		t.Fatalf("%d changes were shown, want 3", len(n.seen))
	}
	first := n.seen[0]
	if first.profile != a || first.traits || first.event.Name != "Bought" || first.event.Time != 1000 || first.event.Received != 2000 ||
		first.event.MessageID != "1" || len(first.event.Numbers) != 1 || first.event.Numbers[0].Value != 7 || first.event.Properties != `{"revenue":7}` {
		t.Errorf("the first change is %+v", first)
	}
	if n.seen[1].profile != b || !n.seen[1].traits || n.seen[2].traits {
		t.Errorf("the changes of traits are %v and %v, want true and false", n.seen[1].traits, n.seen[2].traits)
	}
}
