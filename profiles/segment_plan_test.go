package profiles

import (
	"encoding/json"
	"testing"

	"quintet/internal/definitions"
	"quintet/internal/enginetest"
)

// A change that waits to be evaluated says with bits what changed, and may meet a plan that came after it: the bits of
// an event are the same in all of them.
func TestEventsKeepTheirBits(t *testing.T) {
	t.Parallel()
	define := func(events ...string) map[string]definitions.Versioned[Segment] {
		all := map[string]definitions.Versioned[Segment]{}
		for _, event := range events {
			rule, err := json.Marshal(map[string]any{"event": event, "did": true})
			if err != nil {
				t.Fatal(err)
			}
			all[event] = definitions.Versioned[Segment]{Key: event, Version: 1, Value: Segment{Kind: DynamicSegment, Rule: rule}}
		}
		return all
	}
	s := &Segments{log: enginetest.Logger(t)}
	first := s.compile(define("Viewed"), &segmentPlan{})
	second := s.compile(define("Added", "Ordered", "Viewed"), first)
	for _, plan := range []*segmentPlan{first, second} {
		use, l := plan.events["Viewed"], plan.keys["Viewed"]
		if use == nil || l == nil {
			t.Fatalf("plan %+v", plan)
		}
		if use.bit != first.events["Viewed"].bit || l.touches&use.bit == 0 || l.touches&first.events["Viewed"].bit == 0 || plan.touches&use.bit == 0 {
			t.Errorf("bit %x, the segment depends on %x", use.bit, l.touches)
		}
	}
	if second.keys["Viewed"] != first.keys["Viewed"] {
		t.Error("an unchanged segment was made anew")
	}
}
