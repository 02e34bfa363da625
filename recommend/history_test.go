package recommend

import "testing"

// TestForgottenWhileRead: a read of the log that began before an erasure must not bring
// the person back, and one that begins later may learn what they do then.
func TestForgottenWhileRead(t *testing.T) {
	t.Parallel()
	h := newHistories()
	h.add("erased", did{item: "a", at: 2})
	outer, inner := h.reading(), h.reading()
	h.learn("erased", did{item: "b", at: 1})
	h.forget("erased")
	h.learn("erased", did{item: "c", at: 1})
	inner()
	h.learn("erased", did{item: "d", at: 1})
	if got := h.of("erased"); len(got) != 0 {
		t.Errorf("while a read from before the erasure is under way, the history is %v, want none", got)
	}
	h.learn("other", did{item: "a", at: 1})
	if got := h.of("other"); len(got) != 1 {
		t.Errorf("the history of somebody else is %v, want one event", got)
	}
	outer()
	defer h.reading()()
	h.learn("erased", did{item: "e", at: 9})
	if got := h.of("erased"); len(got) != 1 || got[0].item != "e" {
		t.Errorf("after the reads the history is %v, want item e alone", got)
	}
}
