package decide

import (
	"errors"
	"testing"

	"quintet/internal/problem"
)

func TestFeaturesSince(t *testing.T) {
	t.Parallel()
	history := []string{1: "a", 2: "a", 3: "b", 4: "a", 5: "a", 6: "a", 7: "c", 8: "c"}
	reads := 0
	read := func(v int64) (string, error) { reads++; return history[v], nil }
	var known layouts
	for _, c := range []struct{ version, want int64 }{{1, 1}, {2, 1}, {3, 3}, {6, 4}, {7, 7}, {8, 7}} {
		var fresh layouts
		for name, l := range map[string]*layouts{"fresh": &fresh, "remembered": &known} {
			if got, err := l.since("hero", c.version, history[c.version], read); err != nil || got != c.want {
				t.Errorf("%s, version %d: since %d (%v), want %d", name, c.version, got, err, c.want)
			}
		}
	}
	reads = 0
	if _, err := known.since("hero", 8, "c", read); err != nil || reads != 0 {
		t.Errorf("asked %d times for what is known (%v)", reads, err)
	}
	// A version that is gone ends the row; a failure is not remembered.
	var l layouts
	gone := func(v int64) (string, error) {
		if v < 5 {
			return "", problem.NotFound("decision point", "hero")
		}
		return history[v], nil
	}
	if got, err := l.since("hero", 6, "a", gone); err != nil || got != 5 {
		t.Errorf("since %d (%v), want 5", got, err)
	}
	var f layouts
	failure := errors.New("down")
	if got, err := f.since("hero", 6, "a", func(int64) (string, error) { return "", failure }); !errors.Is(err, failure) || got != 6 {
		t.Errorf("since %d (%v), want 6 and the failure", got, err)
	}
	if got, err := f.since("hero", 6, "a", read); err != nil || got != 4 {
		t.Errorf("since %d (%v) after the failure, want 4", got, err)
	}
}
