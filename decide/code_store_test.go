package decide

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestCodesAreHandedOutOnce has many ask at once for more codes than there are.
func TestCodesAreHandedOutOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	ctx := t.Context()
	if _, err := w.codePools.Put(ctx, "march", CodePool{}, "test", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.offers.Put(ctx, "spring", Offer{Active: true, Codes: "march"}, "test", 0); err != nil {
		t.Fatal(err)
	}
	codes := make([]string, 20)
	for i := range codes {
		codes[i] = fmt.Sprint("SPRING-", i)
	}
	for _, want := range []int64{20, 0} {
		if n, err := w.addCodes(ctx, "march", codes); err != nil || n != want {
			t.Fatalf("%d codes added, want %d: %v", n, want, err)
		}
	}
	w.put(t, "hero", hero(func(p *DecisionPoint) {
		p.Offers, p.Channels, p.NoneAction = []string{"spring"}, []string{"onsite"}, new(false)
	}))
	var mu sync.Mutex
	got := map[string]map[string]bool{} // decisions by code
	refused := 0
	var wg sync.WaitGroup
	for i := range 25 {
		resp, _ := w.ask(t, Request{Decision: "hero", User: w.person(i)})
		for range 2 { // of one decision at the same time
			wg.Go(func() {
				code, err := w.Code(ctx, resp.DecisionID, resp.What.Offer)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.Is(err, ErrNoCode):
					refused++
				case err != nil:
					t.Error(err)
				default:
					if got[code] == nil {
						got[code] = map[string]bool{}
					}
					got[code][resp.DecisionID] = true
				}
			})
		}
	}
	wg.Wait()
	if len(got) != 20 || refused != 10 {
		t.Errorf("%d codes handed out and %d refusals, want 20 and 10", len(got), refused)
	}
	decisions := map[string]bool{}
	for code, of := range got {
		if len(of) != 1 {
			t.Errorf("code %s went to %d decisions", code, len(of))
		}
		for id := range of {
			decisions[id] = true
		}
	}
	if len(decisions) != 20 {
		t.Errorf("%d decisions have a code, want 20", len(decisions))
	}
	for id := range decisions { // asked again, also when the codes have ended
		first, err := w.Code(ctx, id, "spring")
		if err != nil || !got[first][id] {
			t.Errorf("asked again: %q, %v", first, err)
		}
	}
	check := func(rule string) {
		t.Helper()
		if err := w.countPools(ctx); err != nil {
			t.Fatal(err)
		}
		_, rec := w.ask(t, Request{Decision: "hero", User: w.person(1)})
		if len(rec.Candidates) != 0 || len(rec.Removed) != 2 || rec.Removed[0].Rule != rule {
			t.Errorf("removed %v, want all by %s", rec.Removed, rule)
		}
		if words := strings.Join(explain(rec), " "); !strings.Contains(words, ruleWords[rule]) {
			t.Errorf("%q does not explain %s", words, rule)
		}
		if again, err := w.Replay(ctx, rec); err != nil || !again.Agrees {
			t.Errorf("replayed: %+v, %v", again, err)
		}
	}
	check(ruleCodesEmpty)
	if _, err := w.addCodes(ctx, "march", []string{"LATE"}); err != nil {
		t.Fatal(err)
	}
	ended := time.Now().Add(-time.Minute)
	if _, err := w.codePools.Put(ctx, "march", CodePool{EndsAt: &ended}, "test", 0); err != nil {
		t.Fatal(err)
	}
	check(ruleCodesEnded)
	if _, err := w.Code(ctx, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "spring"); !errors.Is(err, ErrNoCode) {
		t.Errorf("a code of a pool that has ended: %v", err)
	}
}

// TestBadCodes refuses what nobody could type.
func TestBadCodes(t *testing.T) {
	t.Parallel()
	for name, codes := range map[string][]string{
		"none": {}, "empty": {""}, "a space": {"A B"}, "not ASCII": {"\u00dcBER"}, "long": {strings.Repeat("x", 129)}, "many": make([]string, maxCodesCall+1),
	} {
		if err := checkCodes(codes); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
