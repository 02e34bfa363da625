package experiments

import (
	"fmt"
	"slices"

	"quintet/experiments/stats"
)

// Role is what a metric is for in an experiment.
type Role string

// The roles of a metric.
const (
	GoalRole      Role = "goal"
	SecondaryRole Role = "secondary"
	GuardrailRole Role = "guardrail"
)

// MetricReport is one metric over all arms.
type MetricReport struct {
	Key          string        `json:"key"`
	Name         string        `json:"name,omitempty"`
	Kind         Kind          `json:"kind"`
	Role         Role          `json:"role" doc:"goal: decides. secondary: is shown. guardrail: must not be harmed; a goal may be one as well"`
	Direction    Direction     `json:"direction"`
	WindowHours  float64       `json:"windowHours"`
	Version      int64         `json:"version,omitempty" doc:"Version of the metric's definition"`
	Cap          *float64      `json:"cap,omitempty" doc:"Bound that the values of all arms were cut to"`
	Arms         []MetricArm   `json:"arms" nullable:"false"`
	Effects      []Effect      `json:"effects" nullable:"false" doc:"One for each arm but the control"`
	Series       []SeriesPoint `json:"series,omitempty" nullable:"false" doc:"The effects as they were at the end of each day"`
	Distribution []Spread      `json:"distribution,omitempty" nullable:"false" doc:"How the values of people who have one spread, by arm"`
	Notes        []string      `json:"notes,omitempty" nullable:"false" doc:"What to keep in mind when reading the figures"`
	Problem      string        `json:"problem,omitempty" doc:"Why the metric has no figures"`
}

// MetricArm is what one arm says about a metric.
type MetricArm struct {
	Variant       string    `json:"variant"`
	Units         int64     `json:"units"`
	Matured       int64     `json:"matured" doc:"People whose window has passed; the others count with what has happened so far"`
	Sum           *float64  `json:"sum,omitempty" doc:"Total over all people; for a proportion the people with the event"`
	Denominator   *float64  `json:"denominator,omitempty" doc:"Total of a ratio's denominator"`
	Mean          *float64  `json:"mean,omitempty" doc:"Per person; for a ratio the ratio, for a quantile the quantile"`
	StandardError *float64  `json:"standardError,omitempty"`
	Problem       string    `json:"problem,omitempty" doc:"Why a figure is missing"`
	Sums          *ArmSums  `json:"sums,omitempty" doc:"What the figures were made of"`
	UncappedMean  *float64  `json:"uncappedMean,omitempty" doc:"Without the metric's cap"`
	Funnel        []float64 `json:"funnel,omitempty" nullable:"false" doc:"Share of people who came as far as each step"`
}

// ArmSums are the sums over the people of an arm that its figures were made of; one
// that is no finite number is absent.
type ArmSums struct {
	N          int64            `json:"n" doc:"People"`
	NonZero    int64            `json:"nonZero" doc:"People whose value is not zero"`
	Capped     int64            `json:"capped,omitempty" doc:"People whose value was cut to the cap"`
	Events     int64            `json:"events"`
	Missing    int64            `json:"missing,omitempty" doc:"Events without the numeric property"`
	NotFinite  int64            `json:"notFinite,omitempty" doc:"Events whose property is no finite number"`
	Y          *float64         `json:"y,omitempty" doc:"Sum of the people's values"`
	YY         *float64         `json:"yy,omitempty" doc:"Sum of their squares"`
	YYY        *float64         `json:"yyy,omitempty" doc:"Sum of their cubes, of which the skewness is made"`
	UncappedY  *float64         `json:"uncappedY,omitempty" doc:"Without the cap"`
	UncappedYY *float64         `json:"uncappedYY,omitempty"`
	D          *float64         `json:"d,omitempty" doc:"Of a ratio's denominator"`
	DD         *float64         `json:"dd,omitempty"`
	YD         *float64         `json:"yd,omitempty"`
	Covariates []CovariateShown `json:"covariates,omitempty" nullable:"false"`
	Cross      []float64        `json:"cross,omitempty" nullable:"false" doc:"Upper triangle by rows of the sums of products of the covariates"`
}

// CovariateShown are the sums of one covariate.
type CovariateShown struct {
	Name    string   `json:"name"`
	X       *float64 `json:"x,omitempty"`
	XY      *float64 `json:"xy,omitempty"`
	Missing int64    `json:"missing,omitempty" doc:"People of whom it is not known, who count as zero"`
}

func shownSums(s *Sums) *ArmSums {
	out := &ArmSums{N: s.Units, NonZero: s.NonZero, Capped: s.Capped, Events: s.Events, Missing: s.Missing, NotFinite: s.NotFinite}
	if s.Kind != QuantileKind {
		out.Y, out.YY = known(s.Y), known(s.YY)
	}
	if !s.Kind.binary() && s.Kind.additive() {
		out.YYY = known(s.Cubes)
	}
	if s.Capped > 0 {
		out.UncappedY, out.UncappedYY = known(s.UncappedY), known(s.UncappedYY)
	}
	if s.Kind == RatioKind {
		out.D, out.DD, out.YD = known(s.D), known(s.DD), known(s.YD)
	}
	finite := true
	for _, c := range s.Covariates {
		out.Covariates = append(out.Covariates, CovariateShown{Name: c.Name, X: known(c.X), XY: known(c.XY), Missing: c.Missing})
	}
	for _, c := range s.Cross {
		finite = finite && known(c) != nil
	}
	if finite {
		out.Cross = s.Cross
	}
	return out
}

// metricFigures is what the figures of one metric are made with.
type metricFigures struct {
	index      int // in cells
	def        *Metric
	experiment *Experiment
	analysis   Analysis
	people     int64      // over all arms
	looked     []SumsCell // see reportBuilder
	// strata are the cells of each stratum, in the order of the variants; nil where
	// none are weighed together.
	strata [][]SumsCell
}

// Bounds below which the report warns, or says nothing, instead of misleading.
const (
	fewOutcomes         = 10  // people with (and, for a proportion, without) an outcome
	uncertainBaseline   = 0.1 // Fieller's g from which a relative interval is rough
	meaninglessBaseline = 1.0 // g from which a control mean of zero is plausible
)

// of is the metric in one arm, ready for the statistics.
func (f *metricFigures) of(cell *SumsCell) measured {
	s := &cell.Metrics[f.index]
	m := measured{main: s.Sample(), adjusted: s.Adjusted(), outcomes: float64(s.NonZero)}
	if s.Capped > 0 {
		m.uncapped = s.Uncapped()
	}
	if !s.Kind.binary() && s.Kind.additive() {
		m.shape = &stats.Shape{N: s.Units, Sum: s.Y, SumSquares: s.YY, SumCubes: s.Cubes}
	}
	return m
}

// comparison is that of a variant with the control; false where there is none.
func (f *metricFigures) comparison(cells []SumsCell, variant string) (*comparison, bool) {
	control := f.experiment.control()
	arm := slices.IndexFunc(cells, func(c SumsCell) bool { return c.Variant == variant })
	if control < 0 || arm < 0 || arm == control {
		return nil, false
	}
	c := &comparison{control: f.of(&cells[control]), arm: f.of(&cells[arm]), analysis: f.analysis, direction: f.def.Direction,
		people: f.people, tuning: f.analysis.pairTuning(len(f.experiment.Variants))}
	if (c.control.uncapped == nil) != (c.arm.uncapped == nil) {
		// Only one arm has values above the cap: the other's are what they are.
		c.control.uncapped, c.arm.uncapped = cells[control].Metrics[f.index].Uncapped(), cells[arm].Metrics[f.index].Uncapped()
	}
	if f.def.Kind != QuantileKind {
		for _, stratum := range f.strata {
			a, b := f.of(&stratum[control]), f.of(&stratum[arm])
			if a.adjusted != nil && b.adjusted != nil {
				a.main, b.main = a.adjusted, b.adjusted
			}
			c.strata = append(c.strata, stats.Stratum{Control: a.main, Treatment: b.main})
		}
	}
	if len(f.looked) > 0 {
		c.looked = &lookedAt{control: f.of(&f.looked[control]), arm: f.of(&f.looked[arm])}
	}
	return c, true
}

// fill computes the figures of a metric from the cells of its arms.
func (m *MetricReport) fill(f *metricFigures, cells []SumsCell) {
	var missing, notFinite, events int64
	few := false
	for a := range f.experiment.Variants {
		s := &cells[a].Metrics[f.index]
		missing, notFinite, events = missing+s.Missing, notFinite+s.NotFinite, events+s.Events
		arm := f.arm(&cells[a])
		if arm.Problem == "" && f.def.Kind != QuantileKind {
			few = few || s.NonZero < fewOutcomes || (f.def.Kind.binary() && s.Units-s.NonZero < fewOutcomes)
		}
		m.Arms = append(m.Arms, arm)
	}
	m.noteValues(f.def, missing, notFinite, events)
	control := f.experiment.control()
	for a := range f.experiment.Variants {
		if a == control {
			continue
		}
		effect := Effect{Variant: cells[a].Variant}
		if c, ok := f.comparison(cells, effect.Variant); ok {
			for _, note := range c.compare(&effect) {
				m.note(note)
			}
			c.decide(&effect)
		}
		m.Effects = append(m.Effects, effect)
	}
	if few && slices.ContainsFunc(m.Effects, func(e Effect) bool { return e.Absolute != nil }) {
		m.note(fmt.Sprintf("An arm has fewer than %d people on one side of the outcome; its interval is rough.", fewOutcomes))
	}
	for i := range m.Effects {
		if e := m.Effects[i].Enough; e != nil && !e.Enough {
			m.note(fmt.Sprintf("The smaller arm has %d people, and a metric as skewed as this needs %d for its intervals to hold.", e.Units, e.Needed))
		}
	}
}

// arm is what one arm says.
func (f *metricFigures) arm(cell *SumsCell) MetricArm {
	s := &cell.Metrics[f.index]
	units := s.Units
	if s.Kind == "" { // nobody was seen
		units = cell.Units
	}
	arm := MetricArm{Variant: cell.Variant, Units: units, Matured: s.Matured, Sum: known(s.Y), Sums: shownSums(s)}
	if f.def.Kind == QuantileKind {
		arm.Sum = nil
	}
	if f.def.Kind == RatioKind {
		arm.Denominator = known(s.D)
	}
	estimate, err := s.Sample().Estimate()
	if err != nil {
		arm.Problem = sentence(err)
		return arm
	}
	arm.Mean, arm.StandardError = known(estimate.Mean), known(estimate.StandardError())
	if s.Capped > 0 {
		if u, err := s.Uncapped().Estimate(); err == nil {
			arm.UncappedMean = known(u.Mean)
		}
	}
	for _, n := range s.Funnel {
		arm.Funnel = append(arm.Funnel, float64(n)/float64(max(s.Units, 1)))
	}
	return arm
}

// noteValues says what of the events could not be counted.
func (m *MetricReport) noteValues(def *Metric, missing, notFinite, events int64) {
	if missing > 0 {
		m.note(fmt.Sprintf("%d of %d %q events have no numeric property %q and count as zero.", missing, events, def.Event, def.Property))
	}
	if notFinite > 0 {
		m.note(fmt.Sprintf("%d of %d %q events have a property %q that is no finite number and count as zero.", notFinite, events, def.Event, def.Property))
	}
}

func (m *MetricReport) note(text string) {
	if text != "" && !slices.Contains(m.Notes, text) {
		m.Notes = append(m.Notes, text)
	}
}

// additive says whether totals of a metric make sense: those of a mean and of a share
// do, those of a ratio, a quantile and a duration do not.
func (k Kind) additive() bool {
	return k != RatioKind && k != QuantileKind && k != TimeToEventKind
}
