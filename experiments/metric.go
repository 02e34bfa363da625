package experiments

import (
	"fmt"
	"math"
	"slices"
	"strings"
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
	Name        string `json:"name,omitempty" maxLength:"200" doc:"Name shown in reports"`
	Description string `json:"description,omitempty" maxLength:"2000" doc:"What the figure says, and what it does not"`
	Owner       string `json:"owner,omitempty" maxLength:"320" doc:"Who answers for the definition"`
	Kind        Kind   `json:"kind" enum:"proportion,count,mean,revenue,margin,ratio,quantile,retention,funnel,time-to-event" doc:"proportion: share of people with the event. count: events per person. mean: Property summed per person, averaged over people. revenue: the same, of money. margin: money less what the contacts cost. ratio: the sum over the sum of the denominator. quantile: of the people's sums or of single events. retention: share of people with the event between fromDays and toDays. funnel: share of people who did all steps in order. time-to-event: mean hours until the event, the window where it did not happen, over people whose window has passed"`
	// Event is the name of the event, empty for a funnel, which has steps.
	Event    string              `json:"event,omitempty" maxLength:"256" doc:"Name of the track event that counts; every kind but funnel needs it"`
	Filter   []PropertyCondition `json:"filter,omitempty" maxItems:"20" nullable:"false" doc:"Conditions on properties that an event must meet to count"`
	Property string              `json:"property,omitempty" maxLength:"256" doc:"Numeric property that is summed (mean, revenue, margin, ratio, quantile); empty counts the events. Nested properties are written with dots"`
	// WindowFromHours and WindowHours are measured from a person's first exposure.
	WindowFromHours     float64      `json:"windowFromHours,omitempty" minimum:"0" doc:"Hours after a person's first exposure from which events count; 0 unless given"`
	WindowHours         float64      `json:"windowHours,omitempty" doc:"Hours after a person's first exposure in which events count; 336 (two weeks) unless given"`
	Direction           Direction    `json:"direction,omitempty" enum:"increase,decrease" doc:"Which way is better; increase unless given, decrease for time-to-event"`
	Margin              float64      `json:"margin,omitempty" minimum:"0" maximum:"1" doc:"As a guardrail: the relative loss that is borne, 0.02 for 2 % of the control"`
	Denominator         string       `json:"denominator,omitempty" maxLength:"262" doc:"For a ratio: decisions (of the person at the experiment's decision point within the window), or event: and the name of an event"`
	DenominatorProperty string       `json:"denominatorProperty,omitempty" maxLength:"256" doc:"For a ratio over an event: numeric property that is summed; empty counts the events"`
	SubtractContactCost bool         `json:"subtractContactCost,omitempty" doc:"Subtract what the person's decisions in the window cost to deliver (mean and ratio; margin does so always)"`
	Cap                 *Cap         `json:"cap,omitempty" doc:"Cuts what single people sum up to, by the same bound in all arms; the figure without is shown beside (count, mean, revenue, margin, ratio)"`
	Quantile            *QuantileOf  `json:"quantile,omitempty" doc:"Of the kind quantile: which, and of what"`
	FromDays            float64      `json:"fromDays,omitempty" minimum:"0" doc:"Of the kind retention: days after the first exposure from which an event counts"`
	ToDays              float64      `json:"toDays,omitempty" minimum:"0" doc:"Of the kind retention: days until which it does"`
	Steps               []FunnelStep `json:"steps,omitempty" maxItems:"20" nullable:"false" doc:"Of the kind funnel: 2 to 20 events in their order"`
	PastDays            float64      `json:"pastDays,omitempty" minimum:"0" maximum:"366" doc:"Days before the first exposure whose value narrows the intervals; the experiment's analysis says whether that is done, and for how many days unless given here"`
}

// Cap cuts a person's value to a bound, which is the same for all arms: a bound
// per arm would hide the effect. One of Value and Quantile is set.
type Cap struct {
	Value       float64 `json:"value,omitempty" doc:"The bound, in the metric's unit"`
	Quantile    float64 `json:"quantile,omitempty" minimum:"0" maximum:"1" doc:"The bound is this quantile of the people's values over all arms together, above 0.5 and below 1"`
	IgnoreZeros bool    `json:"ignoreZeros,omitempty" doc:"Take the quantile over values that are not zero"`
}

// QuantileUnit says what a quantile is taken over.
type QuantileUnit string

// What a quantile is taken over.
const (
	QuantileOfPeople QuantileUnit = "people" // of the people's sums
	QuantileOfEvents QuantileUnit = "events" // of single events, with people as clusters
)

// QuantileOf says which quantile a metric of the kind quantile is.
type QuantileOf struct {
	Level       float64      `json:"level" minimum:"0" maximum:"1" doc:"0.9 for the 90th percentile"`
	Of          QuantileUnit `json:"of,omitempty" enum:"people,events" doc:"people: of what people sum up to; people unless given. events: of single events, where people with many count as what they are"`
	IgnoreZeros bool         `json:"ignoreZeros,omitempty" doc:"Of people: leave out those whose value is zero"`
}

// FunnelStep is one step of a funnel.
type FunnelStep struct {
	Event  string              `json:"event" minLength:"1" maxLength:"256" doc:"Name of the track event"`
	Filter []PropertyCondition `json:"filter,omitempty" maxItems:"20" nullable:"false" doc:"Conditions on properties that the event must meet"`
}

const (
	defaultWindowHours = 336
	maxWindowHours     = 24 * 366
	maxEventRunes      = 256
	maxOwnerRunes      = 320
	maxSteps           = 20
	defaultRevenue     = "revenue"
	defaultMargin      = "margin"
)

func (m *Metric) normalise() {
	if m.WindowHours == 0 && m.Kind != RetentionKind {
		m.WindowHours = defaultWindowHours
	}
	if m.Direction == "" {
		m.Direction = Increase
		if m.Kind == TimeToEventKind {
			m.Direction = Decrease
		}
	}
	if m.Kind == RatioKind && m.Denominator == "" {
		m.Denominator = DecisionsDenominator
	}
	if m.Kind == RevenueKind && m.Property == "" {
		m.Property = defaultRevenue
	}
	if m.Kind == MarginKind && m.Property == "" {
		m.Property = defaultMargin
	}
	if m.Quantile != nil && m.Quantile.Of == "" {
		q := *m.Quantile
		q.Of = QuantileOfPeople
		m.Quantile = &q
	}
}

// window is the time after the first exposure in which events count, in
// milliseconds, the resolution of the log: from included, to not.
func (m *Metric) window() (from, to int64) {
	hours := func(h float64) int64 { return int64(math.Round(h * 3_600_000)) }
	if m.Kind == RetentionKind {
		return hours(m.FromDays * 24), hours(m.ToDays * 24)
	}
	return hours(m.WindowFromHours), hours(m.WindowHours)
}

// subtractsCost says whether contact costs are taken off.
func (m *Metric) subtractsCost() bool { return m.SubtractContactCost || m.Kind == MarginKind }

// waits says whether only people whose window has passed count: the metric asks
// what has happened by its end.
func (m *Metric) waits() bool { return m.Kind == RetentionKind || m.Kind == TimeToEventKind }

// hasPast says whether what a person did before has a value of the same kind.
func (m *Metric) hasPast() bool {
	switch m.Kind {
	case QuantileKind, RetentionKind, FunnelKind, TimeToEventKind:
		return false
	}
	return true
}

// Events are the names of the events that the figure is made of.
func (m *Metric) Events() []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add(m.Event)
	for i := range m.Steps {
		add(m.Steps[i].Event)
	}
	if event, ok := strings.CutPrefix(m.Denominator, eventPrefix); ok {
		add(event)
	}
	return names
}

// number makes a value that JSON can carry of one that it may not.
func number(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	return v
}
