package decide

import "github.com/prometheus/client_golang/prometheus"

// metrics counts decisions by decision point, group and fall-back reason.
type metrics struct {
	decisions *prometheus.CounterVec
	fallbacks *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quintet_decisions_total", Help: "Decisions answered, by decision point and group.",
		}, []string{"decision", "group"}),
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quintet_decision_fallbacks_total", Help: "Decisions answered with the default action, by reason.",
		}, []string{"decision", "reason"}),
	}
	if reg != nil {
		reg.MustRegister(m.decisions, m.fallbacks)
	}
	return m
}

func (m *metrics) observe(r *Response) {
	m.decisions.WithLabelValues(r.Decision, string(r.Who.Group)).Inc()
	if r.Fallback {
		m.fallbacks.WithLabelValues(r.Decision, r.Reason).Inc()
	}
}
