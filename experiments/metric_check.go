package experiments

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"quintet/internal/problem"
)

func metricKinds() []Kind {
	return []Kind{ProportionKind, CountKind, MeanKind, RevenueKind, MarginKind, RatioKind, QuantileKind, RetentionKind, FunnelKind, TimeToEventKind}
}

func (m *Metric) validate() problem.Invalid {
	var bad problem.Invalid
	checkText(&bad, "name", m.Name, maxNameRunes)
	checkText(&bad, "description", m.Description, maxTextRunes)
	checkText(&bad, "owner", m.Owner, maxOwnerRunes)
	if !slices.Contains(metricKinds(), m.Kind) {
		bad.Add("kind", "must be proportion, count, mean, revenue, margin, ratio, quantile, retention, funnel or time-to-event", m.Kind)
	}
	if m.Direction != Increase && m.Direction != Decrease {
		bad.Add("direction", "must be increase or decrease", m.Direction)
	}
	if !(m.Margin >= 0 && m.Margin < 1) {
		bad.Add("margin", "must be at least 0 and below 1", number(m.Margin))
	}
	if !(m.PastDays >= 0 && m.PastDays <= maxPreDays) {
		bad.Add("pastDays", fmt.Sprintf("must be 0 to %d", maxPreDays), number(m.PastDays))
	} else if m.PastDays > 0 && !m.hasPast() {
		bad.Add("pastDays", fmt.Sprintf("must be absent for the kind %s, which has no value before the first exposure", m.Kind), number(m.PastDays))
	}
	m.validateSource(&bad)
	m.validateWindow(&bad)
	m.validateDenominator(&bad)
	m.validateCap(&bad)
	m.validateQuantile(&bad)
	return bad
}

func (m *Metric) validateSource(bad *problem.Invalid) {
	if m.Kind == FunnelKind {
		if m.Event != "" {
			bad.Add("event", "must be empty for a funnel, which has steps", m.Event)
		}
		if len(m.Filter) > 0 {
			bad.Add("filter", "must be empty for a funnel, whose steps have filters", len(m.Filter))
		}
		if len(m.Steps) < 2 || len(m.Steps) > maxSteps {
			bad.Add("steps", fmt.Sprintf("must be 2 to %d for a funnel", maxSteps), len(m.Steps))
		}
	} else {
		checkEvent(bad, "event", m.Event)
		checkFilter(bad, "filter", m.Filter)
		if len(m.Steps) > 0 {
			bad.Add("steps", "must be absent unless the kind is funnel", len(m.Steps))
		}
	}
	for i := range min(len(m.Steps), maxSteps) {
		checkEvent(bad, fmt.Sprintf("steps[%d].event", i), m.Steps[i].Event)
		checkFilter(bad, fmt.Sprintf("steps[%d].filter", i), m.Steps[i].Filter)
	}
	if m.Property != "" {
		checkEvent(bad, "property", m.Property)
		switch m.Kind {
		case ProportionKind, RetentionKind, FunnelKind, TimeToEventKind:
			bad.Add("property", fmt.Sprintf("must be empty for the kind %s, which only asks whether the event happened", m.Kind), m.Property)
		case CountKind:
			bad.Add("property", "must be empty for a count, which counts events; mean sums a property", m.Property)
		}
	}
	if m.SubtractContactCost && m.Kind != MeanKind && m.Kind != RatioKind && m.Kind != MarginKind {
		bad.Add("subtractContactCost", "must be false unless the kind is mean, margin or ratio", true)
	}
}

func (m *Metric) validateWindow(bad *problem.Invalid) {
	if m.Kind == RetentionKind {
		if !(m.FromDays >= 0 && m.FromDays < m.ToDays && m.ToDays*24 <= maxWindowHours) {
			bad.Add("toDays", fmt.Sprintf("must be above fromDays and at most %d for a retention", maxWindowHours/24), number(m.ToDays))
		}
		if m.WindowHours != 0 || m.WindowFromHours != 0 {
			bad.Add("windowHours", "must be absent for a retention, which has fromDays and toDays", number(m.WindowHours))
		}
		return
	}
	if m.FromDays != 0 || m.ToDays != 0 {
		bad.Add("toDays", "must be absent unless the kind is retention", number(m.ToDays))
	}
	if !(m.WindowHours >= 1./60 && m.WindowHours <= maxWindowHours) {
		bad.Add("windowHours", fmt.Sprintf("must be between a minute and %d hours", maxWindowHours), number(m.WindowHours))
	}
	switch {
	case !(m.WindowFromHours >= 0):
		bad.Add("windowFromHours", "must be at least 0", number(m.WindowFromHours))
	case m.WindowFromHours >= m.WindowHours:
		bad.Add("windowFromHours", "must be below windowHours", number(m.WindowFromHours))
	case m.WindowFromHours > 0 && m.Kind == TimeToEventKind:
		bad.Add("windowFromHours", "must be 0 for a time to an event, which is measured from the first exposure", number(m.WindowFromHours))
	}
}

func (m *Metric) validateDenominator(bad *problem.Invalid) {
	event, isEvent := strings.CutPrefix(m.Denominator, eventPrefix)
	switch {
	case m.Kind != RatioKind && m.Denominator != "":
		bad.Add("denominator", "must be empty unless the kind is ratio", m.Denominator)
	case m.Kind == RatioKind && isEvent:
		checkEvent(bad, "denominator", event)
	case m.Kind == RatioKind && m.Denominator != DecisionsDenominator:
		bad.Add("denominator", "must be decisions, or event: and the name of an event", m.Denominator)
	}
	if m.DenominatorProperty != "" {
		checkEvent(bad, "denominatorProperty", m.DenominatorProperty)
		if !isEvent || m.Kind != RatioKind {
			bad.Add("denominatorProperty", "must be empty unless the denominator is an event", m.DenominatorProperty)
		}
	}
}

func (m *Metric) validateCap(bad *problem.Invalid) {
	c := m.Cap
	if c == nil {
		return
	}
	switch m.Kind {
	case CountKind, MeanKind, RevenueKind, MarginKind, RatioKind:
	default:
		bad.Add("cap", fmt.Sprintf("must be absent for the kind %s", m.Kind), true)
	}
	switch {
	case c.Value != 0 && c.Quantile != 0:
		bad.Add("cap.quantile", "must be absent where cap.value is given", number(c.Quantile))
	case c.Value == 0 && c.Quantile == 0:
		bad.Add("cap.value", "or cap.quantile must be given", number(c.Value))
	case c.Quantile != 0 && !(c.Quantile > 0.5 && c.Quantile < 1):
		bad.Add("cap.quantile", "must be above 0.5 and below 1", number(c.Quantile))
	case math.IsNaN(c.Value) || math.IsInf(c.Value, 0) || c.Value < 0:
		bad.Add("cap.value", "must be a number above 0", number(c.Value))
	}
	if c.IgnoreZeros && c.Quantile == 0 {
		bad.Add("cap.ignoreZeros", "must be false unless cap.quantile is given", true)
	}
}

func (m *Metric) validateQuantile(bad *problem.Invalid) {
	q := m.Quantile
	if m.Kind != QuantileKind {
		if q != nil {
			bad.Add("quantile", "must be absent unless the kind is quantile", true)
		}
		return
	}
	if q == nil {
		bad.Add("quantile", "must be given for a quantile", nil)
		return
	}
	if !(q.Level > 0 && q.Level < 1) {
		bad.Add("quantile.level", "must be above 0 and below 1", number(q.Level))
	}
	switch {
	case q.Of != QuantileOfPeople && q.Of != QuantileOfEvents:
		bad.Add("quantile.of", "must be people or events", q.Of)
	case q.Of == QuantileOfEvents && q.IgnoreZeros:
		bad.Add("quantile.ignoreZeros", "must be false for events, which all count", true)
	case q.Of == QuantileOfEvents && m.Property == "":
		bad.Add("property", "must be given for a quantile of events", "")
	}
}

// checkEvent checks the name of an event or property.
func checkEvent(bad *problem.Invalid, field, name string) {
	n := utf8.RuneCountInString(name)
	if n < 1 || n > maxEventRunes || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		bad.Add(field, fmt.Sprintf("must be UTF-8 text of 1 to %d characters", maxEventRunes), n)
	}
}
