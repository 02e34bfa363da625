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

// counters are those of one decision point, found once as every decision needs one.
type counters struct{ treated, control, holdout prometheus.Counter }

func (m *metrics) of(point string) *counters {
	return &counters{
		treated: m.decisions.WithLabelValues(point, string(GroupTreated)),
		control: m.decisions.WithLabelValues(point, string(GroupControl)),
		holdout: m.decisions.WithLabelValues(point, string(GroupHoldout)),
	}
}

func (m *metrics) observe(r *Response, c *counters) {
	switch r.Who.Group {
	case GroupControl:
		c.control.Inc()
	case GroupHoldout:
		c.holdout.Inc()
	default:
		c.treated.Inc()
	}
	if r.Fallback {
		m.fallbacks.WithLabelValues(r.Decision, r.Reason).Inc()
	}
}
