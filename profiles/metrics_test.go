package profiles

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Every counter that a page of the documentation names is there to be asked for.
func TestCountersAreRegistered(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	newMetrics(registry, newStore())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, f := range families {
		there[f.GetName()] = true
	}
	for _, name := range []string{
		"quintet_profile_traits_refused_total", "quintet_profile_traits_rejected_total", "quintet_profile_consents_unclear_total", "quintet_people",
	} {
		if !there[name] {
			t.Errorf("%s is not registered", name)
		}
	}
}
