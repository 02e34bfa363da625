package experiments

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"quintet/internal/problem"
)

// Kind says how the events of a person become the person's value.
type Kind string

const (
	// ProportionKind counts the people who did Event at least once.
	ProportionKind Kind = "proportion"
	// MeanKind adds up Property over a person's events (the number of events
	// without a property) and averages over people; people without an event
	// count as zero.
	MeanKind Kind = "mean"
	// RatioKind is the total of a MeanKind over a total of Denominator, with
	// the person still the unit of the error.
	RatioKind Kind = "ratio"
	// CountKind is the number of events per person.
	CountKind Kind = "count"
	// RevenueKind adds up Property like MeanKind; it is money.
	RevenueKind Kind = "revenue"
	// MarginKind is money like RevenueKind, less what the person's decisions in
	// the window cost to deliver.
	MarginKind Kind = "margin"
	// QuantileKind is a quantile of the people's sums, or of the events' values.
	QuantileKind Kind = "quantile"
	// RetentionKind is the share of people who did Event between two moments
	// after their first exposure, of those for whom the later one has passed.
	RetentionKind Kind = "retention"
	// FunnelKind is the share of people who did all steps in order.
	FunnelKind Kind = "funnel"
	// TimeToEventKind is the restricted mean time until the first event: hours
	// until it happened, the window where it did not, over people whose window
	// has passed. Nobody is censored then, so that it is told by sums.
	TimeToEventKind Kind = "time-to-event"
)

// binary says whether a person's value is 0 or 1.
func (k Kind) binary() bool {
	return k == ProportionKind || k == RetentionKind || k == FunnelKind
}

// Denominators of a ratio metric: decisions, or events by name.
const (
	DecisionsDenominator = "decisions"
	eventPrefix          = "event:"
)

// Direction says which way is better.
type Direction string

// The directions of a metric.
const (
	Increase Direction = "increase"
	Decrease Direction = "decrease"
)

// Metric is the definition of one figure. It is data, so that console, command
// line, API and notebooks compute it with the same SQL.
type Metric struct {
	Name     string `json:"name,omitempty" maxLength:"200" doc:"Name shown in reports"`
	Kind     Kind   `json:"kind" enum:"proportion,mean,ratio" doc:"proportion: share of people with the event. mean: Property summed per person, averaged over people. ratio: that sum over the sum of the denominator"`
	Event    string `json:"event" minLength:"1" maxLength:"256" doc:"Name of the track event that counts"`
	Property string `json:"property,omitempty" maxLength:"256" doc:"Numeric property that is summed (mean and ratio); empty counts the events. Nested properties are written with dots"`
	// WindowHours is measured from a person's first exposure.
	WindowHours         float64   `json:"windowHours,omitempty" doc:"Hours after a person's first exposure in which events count; 336 (two weeks) unless given"`
	Direction           Direction `json:"direction,omitempty" enum:"increase,decrease" doc:"Which way is better; increase unless given"`
	Denominator         string    `json:"denominator,omitempty" maxLength:"262" doc:"For a ratio: decisions (of the person at the experiment's decision point within the window), or event: and the name of an event"`
	SubtractContactCost bool      `json:"subtractContactCost,omitempty" doc:"Subtract what the person's decisions in the window cost to deliver (mean and ratio)"`
}

const (
	defaultWindowHours = 336
	maxWindowHours     = 24 * 366
	maxEventRunes      = 256
)

func (m *Metric) normalise() {
	if m.WindowHours == 0 {
		m.WindowHours = defaultWindowHours
	}
	if m.Direction == "" {
		m.Direction = Increase
	}
	if m.Kind == RatioKind && m.Denominator == "" {
		m.Denominator = DecisionsDenominator
	}
}

func (m *Metric) validate() problem.Invalid {
	var bad problem.Invalid
	checkText(&bad, "name", m.Name, maxNameRunes)
	if !slices.Contains([]Kind{ProportionKind, MeanKind, RatioKind}, m.Kind) {
		bad.Add("kind", "must be proportion, mean or ratio", m.Kind)
	}
	checkEvent(&bad, "event", m.Event)
	if m.Property != "" {
		checkEvent(&bad, "property", m.Property)
	}
	if !(m.WindowHours >= 1./60 && m.WindowHours <= maxWindowHours) {
		bad.Add("windowHours", fmt.Sprintf("must be between a minute and %d hours", maxWindowHours), number(m.WindowHours))
	}
	if m.Direction != Increase && m.Direction != Decrease {
		bad.Add("direction", "must be increase or decrease", m.Direction)
	}
	if m.Kind == ProportionKind && m.Property != "" {
		bad.Add("property", "must be empty for a proportion, which only asks whether the event happened", m.Property)
	}
	if m.Kind == ProportionKind && m.SubtractContactCost {
		bad.Add("subtractContactCost", "must be false for a proportion", true)
	}
	event, isEvent := strings.CutPrefix(m.Denominator, eventPrefix)
	switch {
	case m.Kind != RatioKind && m.Denominator != "":
		bad.Add("denominator", "must be empty unless the kind is ratio", m.Denominator)
	case m.Kind == RatioKind && isEvent:
		checkEvent(&bad, "denominator", event)
	case m.Kind == RatioKind && m.Denominator != DecisionsDenominator:
		bad.Add("denominator", "must be decisions, or event: and the name of an event", m.Denominator)
	}
	return bad
}

// checkEvent checks the name of an event or property.
func checkEvent(bad *problem.Invalid, field, name string) {
	n := utf8.RuneCountInString(name)
	if n < 1 || n > maxEventRunes || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		bad.Add(field, fmt.Sprintf("must be UTF-8 text of 1 to %d characters", maxEventRunes), n)
	}
}

// windowMilliseconds is the window in the resolution of the log.
func (m *Metric) windowMilliseconds() int64 { return int64(math.Round(m.WindowHours * 3_600_000)) }

// readsDecisions says whether the figure needs the decisions of a person.
func (m *Metric) readsDecisions() bool {
	return m.SubtractContactCost || m.Denominator == DecisionsDenominator
}

// number makes a value that JSON can carry of one that it may not.
func number(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	return v
}
