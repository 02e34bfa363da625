package importing

import (
	"testing"
	"time"
)

func TestAllStored(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		lags    map[string]lag
		elapsed time.Duration
		want    bool
	}{
		"nothing on its way":  {map[string]lag{"events": {}, "decisions": {}}, 0, true},
		"our own":             {map[string]lag{"events": {}, "decisions": {Messages: 1, Seconds: 3.2}}, 3 * time.Second, false},
		"later ones":          {map[string]lag{"events": {Messages: 9, Seconds: 0.2}}, 3 * time.Second, true},
		"one store is behind": {map[string]lag{"events": {Messages: 9, Seconds: 0.2}, "profiles": {Messages: 1, Seconds: 5}}, 3 * time.Second, false},
		"just sent":           {map[string]lag{"events": {Messages: 1, Seconds: 0}}, 0, false},
	}
	for name, tc := range cases {
		if got := allStored(tc.lags, tc.elapsed); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
