package experiments

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"quintet/experiments/stats"
)

// Names of the checks of a report.
const (
	SampleRatioCheck      = "sample-ratio"
	MultipleExposureCheck = "multiple-exposure"
	EarlyExposureCheck    = "exposure-before-start"
	DimensionRatioCheck   = "sample-ratio-by-dimension"
	PrePeriodCheck        = "pre-period"
	MissingValuesCheck    = "missing-values"
	EnoughPeopleCheck     = "enough-people"
)

// Check is a test of the experiment itself, apart from any effect.
type Check struct {
	Name    string     `json:"name"`
	Passed  bool       `json:"passed" doc:"False when the check raised an alarm"`
	Made    bool       `json:"made" doc:"False when there are not enough data yet; the check then passes"`
	Warning bool       `json:"warning,omitempty" doc:"The check passes, and what it says is to be kept in mind"`
	PValue  *float64   `json:"pValue,omitempty"`
	Detail  string     `json:"detail" doc:"The outcome in a sentence"`
	Arms    []CheckArm `json:"arms,omitempty" nullable:"false"`
}

// CheckArm is one arm's part in a check.
type CheckArm struct {
	Variant  string  `json:"variant"`
	Expected float64 `json:"expected"`
	Observed int64   `json:"observed"`
}

// missingShare of events without the property from which a check fails, and of people
// seen before the start.
const (
	missingShare = 0.1
	earlyShare   = 0.01
	earlyMinimum = 10
)

// check fills the checks of the report, apart from those that need effects.
func (b *reportBuilder) check(ctx context.Context) error {
	r := b.report
	phases, early, err := b.phases(ctx)
	if err != nil {
		return err
	}
	r.Checks = []Check{b.sampleRatio(phases), multipleExposure(b.arms)}
	if early != nil {
		r.Checks = append(r.Checks, *early)
	}
	for _, d := range r.Analysis.Dimensions {
		c, err := b.dimensionRatio(ctx, d)
		if err != nil {
			return err
		}
		r.Checks = append(r.Checks, c)
	}
	if c, ok := b.prePeriod(); ok {
		r.Checks = append(r.Checks, c)
	}
	if c, ok := b.missingValues(); ok {
		r.Checks = append(r.Checks, c)
	}
	r.ChecksPassed = !slices.ContainsFunc(r.Checks, func(c Check) bool { return !c.Passed })
	return nil
}

// armNames are the variants of the definition and then those that it does not know.
func (b *reportBuilder) armNames() []string {
	names := make([]string, len(b.arms))
	for i, a := range b.arms {
		names[i] = a.Variant
	}
	return names
}

// sampleRatio compares the sizes of the arms with their weights, phase by phase where
// the weights changed. A variant that the definition does not know is an arm of
// weight zero.
func (b *reportBuilder) sampleRatio(phases []stats.SplitPhase) Check {
	names := b.armNames()
	observed := make([]int64, len(names))
	weights := b.experiment.splitWeights(len(names))
	for i, a := range b.arms {
		observed[i] = a.Units
	}
	var split stats.SplitCheck
	var err error
	if len(phases) > 1 {
		split, err = stats.CheckPhases(phases, stats.SplitOptions{})
	} else {
		split, err = stats.CheckSplit(observed, weights)
	}
	c := splitCheck(split, err)
	for i, name := range names {
		if i < len(split.Expected) {
			c.Arms = append(c.Arms, CheckArm{Variant: name, Expected: split.Expected[i], Observed: observed[i]})
		}
	}
	if len(phases) > 1 {
		c.Detail += fmt.Sprintf(" Over %d phases of different weights.", len(phases))
	}
	return c
}

// splitWeights are the weights of the arms that are shared out among people now, over
// n arms of which the last may be unknown to the definition.
func (e *Experiment) splitWeights(n int) []float64 {
	out := make([]float64, n)
	var sum float64
	for i, v := range e.Variants {
		if !v.Dropped {
			out[i] = v.Weight
			sum += v.Weight
		}
	}
	if sum > 0 {
		for i := range out {
			out[i] /= sum
		}
	}
	return out
}

// splitCheck puts a split check into words.
func splitCheck(split stats.SplitCheck, err error) Check {
	c := Check{Name: SampleRatioCheck, Passed: split.Passed()}
	switch p := stats.AsProblem(err); {
	case p != nil && p.Reason == stats.TooFewUnits:
		c.Detail = "Not enough people yet: " + sentence(err)
	case err != nil:
		c.Passed, c.Detail = false, "The split cannot be checked: "+sentence(err)
	default:
		c.Made, c.PValue = true, &split.PValue
		c.Detail = fmt.Sprintf("The arms have the sizes that their weights promise (p = %.3g).", split.PValue)
	}
	if split.Mismatch {
		c.Detail = fmt.Sprintf("The arms do not have the sizes that their weights promise (p = %.2g): people are lost or added in some arm, and no figure below can be believed.", split.PValue)
	}
	if split.Leak {
		c.Made = true
		c.Detail = fmt.Sprintf("%d people were seen in variants that nobody should get. ", split.Leaked) + c.Detail
	}
	return c
}

// weightsChange is a moment from which people were shared out differently.
type weightsChange struct {
	at      time.Time
	weights []float64
}

// weightsOverTime are the weights from the start on, from the versions of the
// definition.
func (b *reportBuilder) weightsOverTime(ctx context.Context, arms int) ([]weightsChange, error) {
	e := b.experiment
	changes := []weightsChange{{at: *e.StartedAt, weights: e.splitWeights(arms)}}
	history, err := b.service.experiments.History(ctx, b.key, 0, maxVersionsRead)
	if err != nil {
		return nil, err
	}
	slices.Reverse(history)
	for i := range history {
		v := &history[i]
		if v.Deleted || v.UpdatedAt.After(b.report.AsOf) || len(v.Value.Variants) != len(e.Variants) || v.Value.StartedAt == nil || !v.Value.StartedAt.Equal(*e.StartedAt) {
			continue
		}
		last, weights := &changes[len(changes)-1], v.Value.splitWeights(arms)
		switch at := v.UpdatedAt.Truncate(time.Millisecond); {
		case v.Value.Change != nil && v.Value.Change.Action == startAction || len(changes) == 1 && i == 0:
			changes[0].weights = weights
		case slices.Equal(last.weights, weights) || !at.After(last.at):
		default:
			changes = append(changes, weightsChange{at: at, weights: weights})
		}
	}
	return changes, nil
}

// maxVersionsRead bounds how far back phases are looked for.
const maxVersionsRead = 1000

// phases counts the people of each phase of weights, and those who were seen before
// the start.
func (b *reportBuilder) phases(ctx context.Context) ([]stats.SplitPhase, *Check, error) {
	if b.experiment.StartedAt == nil {
		return nil, nil, nil
	}
	names := b.armNames()
	changes, err := b.weightsOverTime(ctx, len(names))
	if err != nil {
		return nil, nil, err
	}
	moments := make([]time.Time, len(changes))
	for i, c := range changes {
		moments[i] = c.at
	}
	request := b.request(Breakdown{Kind: ByPhase, Phases: moments})
	request.Metrics, request.Covariates = nil, nil
	t, err := b.sums(ctx, request)
	if err != nil {
		return nil, nil, err
	}
	phases := make([]stats.SplitPhase, len(changes))
	for i := range phases {
		phases[i] = stats.SplitPhase{Observed: make([]int64, len(names)), Weights: changes[i].weights}
	}
	var before, after int64
	for _, c := range t.Cells {
		if c.Phase == 0 {
			before += c.Units
			continue
		}
		after += c.Units
		if i := slices.Index(names, c.Variant); i >= 0 && c.Phase <= len(phases) {
			phases[c.Phase-1].Observed[i] += c.Units
		}
	}
	if before+after == 0 {
		return nil, nil, nil
	}
	early := earlyExposure(before, after)
	if before > 0 {
		// Who came before the start was shared out by what held then.
		phases = nil
	}
	return phases, &early, nil
}

// earlyExposure judges the people who were seen before the experiment started.
func earlyExposure(before, after int64) Check {
	c := Check{Name: EarlyExposureCheck, Passed: true, Made: true}
	switch share := float64(before) / float64(before+after); {
	case before == 0:
		c.Detail = "Everyone was first seen after the start."
	case after == 0:
		c.Warning = true
		c.Detail = "Everyone was first seen before the start, as in an experiment of the past that was brought in."
	default:
		c.Passed = before < earlyMinimum || share < earlyShare
		c.Warning = c.Passed
		c.Detail = fmt.Sprintf("%d of %d people were seen in a variant before the experiment started.", before, before+after)
	}
	return c
}

// dimensionRatio checks the split within each value of a dimension.
func (b *reportBuilder) dimensionRatio(ctx context.Context, dimension string) (Check, error) {
	c := Check{Name: DimensionRatioCheck + ":" + dimension, Passed: true}
	request := b.request(Breakdown{Kind: ByDimension, Dimensions: []string{dimension}})
	request.Metrics, request.Covariates = nil, nil
	t, err := b.sums(ctx, request)
	if err != nil {
		return c, err
	}
	names := b.armNames()
	var values []stats.SplitValue
	for _, value := range sortedValues(t.Cells) {
		phase := stats.SplitPhase{Observed: make([]int64, len(names)), Weights: b.expectedShares()}
		for _, cell := range t.Cells {
			if i := slices.Index(names, cell.Variant); i >= 0 && cell.Values[0] == value {
				phase.Observed[i] += cell.Units
			}
		}
		values = append(values, stats.SplitValue{Value: value, Phases: []stats.SplitPhase{phase}})
	}
	checks, err := stats.CheckDimension(values, stats.SplitOptions{})
	if err != nil {
		c.Passed, c.Detail = false, "The split cannot be checked: "+sentence(err)
		return c, nil
	}
	var broken []string
	made := 0
	for _, v := range checks {
		if v.Problem == nil {
			made++
		}
		if !v.Check.Passed() {
			broken = append(broken, fmt.Sprintf("%q (p = %.2g)", v.Value, v.Check.PValue))
		}
	}
	c.Made = made > 0
	switch {
	case len(broken) > 0:
		c.Passed = false
		c.Detail = fmt.Sprintf("Within %s the arms do not have the sizes that their weights promise for %s.", dimension, strings.Join(broken[:min(len(broken), 5)], ", "))
	case made == 0:
		c.Detail = fmt.Sprintf("No value of %s has enough people yet.", dimension)
	default:
		c.Detail = fmt.Sprintf("The arms have the sizes that their weights promise within each of %d values of %s.", made, dimension)
	}
	return c, nil
}

// expectedShares are the shares of the arms over all phases, by which a part of the
// people is judged.
func (b *reportBuilder) expectedShares() []float64 {
	for _, c := range b.report.Checks {
		if c.Name != SampleRatioCheck || len(c.Arms) != len(b.arms) {
			continue
		}
		var sum float64
		for _, a := range c.Arms {
			sum += a.Expected
		}
		if sum == 0 {
			break
		}
		out := make([]float64, len(c.Arms))
		for i, a := range c.Arms {
			out[i] = a.Expected / sum
		}
		return out
	}
	return b.experiment.splitWeights(len(b.arms))
}

// prePeriod asks whether the arms differed before the experiment; false where nothing
// from before was asked for.
func (b *reportBuilder) prePeriod() (Check, bool) {
	control := b.experiment.control()
	if b.report.Analysis.Cuped == nil || control < 0 {
		return Check{}, false
	}
	c := Check{Name: PrePeriodCheck, Passed: true}
	var values []stats.PrePeriod
	seen := map[string]bool{}
	for i := range b.metrics {
		key := b.report.Metrics[b.places[i]].Key
		for j := range b.arms[control].Metrics[i].Covariates {
			name := b.arms[control].Metrics[i].Covariates[j].Name
			if name == pastCovariate || name == pastDenominator {
				name = key + " (" + name + ")"
			}
			for a := range b.experiment.Variants {
				id := b.arms[a].Variant + " " + name
				if a == control || seen[id] || len(b.arms[a].Metrics[i].Covariates) <= j {
					continue
				}
				seen[id] = true
				was, errA := b.arms[control].Metrics[i].past(j).Estimate()
				is, errB := b.arms[a].Metrics[i].past(j).Estimate()
				if errA == nil && errB == nil {
					values = append(values, stats.PrePeriod{Metric: name, Treatment: b.arms[a].Variant, Control: was, Treated: is})
				}
			}
		}
	}
	found, alarm, err := stats.CheckPrePeriod(values, 0)
	if err != nil {
		c.Passed, c.Detail = false, "The time before cannot be compared: "+sentence(err)
		return c, true
	}
	var broken []string
	for _, f := range found {
		c.Made = c.Made || f.Problem == nil
		if f.Alarm {
			broken = append(broken, fmt.Sprintf("%s in %s (p = %.2g)", f.Metric, f.Treatment, f.Effect.PValue))
		}
	}
	c.Passed = !alarm
	switch {
	case alarm:
		c.Detail = fmt.Sprintf("The arms differed before the experiment: %s.", strings.Join(broken[:min(len(broken), 5)], ", "))
	case !c.Made:
		c.Detail = "Nothing is known of the people from before the experiment."
	default:
		c.Detail = "The arms were alike before the experiment."
	}
	return c, true
}

// past is a covariate as a metric of its own.
func (s *Sums) past(i int) stats.Mean {
	return stats.Mean{N: s.Units, Sum: s.Covariates[i].X, SumSquares: s.cross(i, i)}
}

// missingValues counts the events that lack what is to be added up; false where no
// metric adds up a property.
func (b *reportBuilder) missingValues() (Check, bool) {
	c := Check{Name: MissingValuesCheck, Passed: true}
	asked := false
	var parts []string
	for i := range b.metrics {
		m := &b.metrics[i]
		if m.Property == "" {
			continue
		}
		asked = true
		var missing, notFinite, events int64
		for _, a := range b.arms {
			missing += a.Metrics[i].Missing
			notFinite += a.Metrics[i].NotFinite
			events += a.Metrics[i].Events
		}
		c.Made = c.Made || events > 0
		if notFinite > 0 {
			// Nobody knows what they should have been.
			c.Passed = false
			parts = append(parts, fmt.Sprintf("%d of %d events of %s have a value %q that is no finite number", notFinite, events, b.report.Metrics[b.places[i]].Key, m.Property))
		}
		if missing == 0 || events == 0 {
			continue
		}
		c.Warning = true
		if float64(missing) >= missingShare*float64(events) && missing >= earlyMinimum {
			c.Passed = false
		}
		parts = append(parts, fmt.Sprintf("%d of %d events of %s have no value %q", missing, events, b.report.Metrics[b.places[i]].Key, m.Property))
	}
	c.Warning = c.Warning && c.Passed
	switch {
	case len(parts) > 0:
		c.Detail = strings.Join(parts, "; ") + ": they count as zero."
	case !c.Made:
		c.Detail = "No event has come in yet."
	default:
		c.Detail = "Every event has its value."
	}
	return c, asked
}

// multipleExposure counts the people who were seen in more than one arm. They
// are left out of every figure.
func multipleExposure(arms []SumsCell) Check {
	c := Check{Name: MultipleExposureCheck, Passed: true}
	var mixed, total int64
	for _, a := range arms {
		mixed += a.Mixed
		total += a.Units + a.Mixed
	}
	if total == 0 {
		c.Detail = "Nobody has been seen in the experiment yet."
		return c
	}
	exposure, err := stats.CheckExposure(mixed, total)
	if err != nil {
		c.Passed, c.Detail = false, sentence(err)
		return c
	}
	c.Made, c.Passed = true, !exposure.Alarm
	switch {
	case mixed == 0:
		c.Detail = "Everyone was seen in one variant only."
	default:
		c.Detail = fmt.Sprintf("%d of %d people were seen in more than one variant and are left out.", mixed, total)
	}
	return c
}

// enoughPeople gathers the metrics whose intervals cannot be believed yet.
func (b *reportBuilder) enoughPeople() {
	c := Check{Name: EnoughPeopleCheck, Passed: true}
	var few []string
	for i := range b.report.Metrics {
		m := &b.report.Metrics[i]
		for j := range m.Effects {
			e := m.Effects[j].Enough
			c.Made = c.Made || e != nil
			if e != nil && !e.Enough {
				few = append(few, fmt.Sprintf("%s of %s (%d people, %d needed)", m.Key, m.Effects[j].Variant, e.Units, e.Needed))
			}
		}
	}
	if !c.Made {
		return
	}
	c.Detail = "There are people enough for the intervals to hold."
	if len(few) > 0 {
		c.Warning = true
		c.Detail = "Too few people for a metric as skewed as this: " + strings.Join(few[:min(len(few), 5)], "; ") + ". No win is recommended on it."
	}
	b.report.Checks = append(b.report.Checks, c)
}
