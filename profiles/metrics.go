package profiles

import "github.com/prometheus/client_golang/prometheus"

// metrics count what came in.
type metrics struct {
	accepted, rejected, repeated, droppedTraits prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		if reg != nil {
			reg.MustRegister(c)
		}
		return c
	}
	return &metrics{
		accepted:      counter("quintet_messages_accepted_total", "Tracking messages accepted, repeated ones included."),
		rejected:      counter("quintet_messages_rejected_total", "Tracking messages that broke a rule."),
		repeated:      counter("quintet_messages_repeated_total", "Tracking messages recognised as sent before."),
		droppedTraits: counter("quintet_traits_dropped_total", "Traits that did not fit into their profile."),
	}
}
