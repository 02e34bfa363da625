package profiles

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	accepted, rejected, repeated                   prometheus.Counter
	traitsRefused, traitsRejected, consentsUnclear prometheus.Counter
	blocked, demoted                               prometheus.Counter
	recordsRefused                                 *prometheus.CounterVec
	confirmed                                      *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer, store *Store) *metrics {
	messages := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "quintet_ingest_messages_total", Help: "Messages of the tracking API by what became of them.",
	}, []string{"outcome"})
	identifiers := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "quintet_identifiers_refused_total", Help: "Identifiers that were not attached to a profile, by reason: a blocked value, or a limit.",
	}, []string{"reason"})
	m := &metrics{
		blocked: identifiers.WithLabelValues("blocked"), demoted: identifiers.WithLabelValues("limit"),
		accepted: messages.WithLabelValues("accepted"), rejected: messages.WithLabelValues("rejected"), repeated: messages.WithLabelValues("repeated"),
		traitsRefused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "quintet_profile_traits_refused_total", Help: "Traits that did not fit into their profile.",
		}),
		traitsRejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "quintet_profile_traits_rejected_total", Help: "Values of traits that break the declaration of their trait; they are kept beside the golden record.",
		}),
		consentsUnclear: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "quintet_profile_consents_unclear_total", Help: "Statements about consent that could not be read or did not fit.",
		}),
		recordsRefused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quintet_profile_records_refused_total", Help: "Records of the stream that a reader could not understand.",
		}, []string{"reader"}),
	}
	m.confirmed = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "quintet_ingest_confirmed_total", Help: "Message ids whose fingerprint was known and that ClickHouse was asked for, by what they were.",
	}, []string{"outcome"})
	if registry == nil {
		return m
	}
	registry.MustRegister(messages, identifiers, m.traitsRefused, m.traitsRejected, m.consentsUnclear, m.recordsRefused, m.confirmed,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "quintet_profiles", Help: "Profiles in memory."},
			func() float64 { return float64(store.Len()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "quintet_profile_identifiers", Help: "Identifiers in memory."},
			func() float64 { n, _ := store.index.Len(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "quintet_people", Help: "People in memory: profiles that were merged count once."},
			func() float64 { return float64(store.People()) }),
	)
	return m
}
