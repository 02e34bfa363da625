package experiments

import (
	"time"

	"quintet/experiments/stats"
)

// SumsRequest asks for the sums that figures are made of. Everything that shows
// a figure asks here, so that report, series, breakdown, command line and
// notebook cannot disagree.
type SumsRequest struct {
	Experiment string
	// DecisionPoint is the one whose decisions count for costs and denominators;
	// empty counts those of all.
	DecisionPoint string
	Metrics       []Metric
	At            time.Time // events and exposures up to this moment
	AsOf          time.Time // that were known at this moment, of people as they were known then
	By            Breakdown
	// Covariates are what was known of people before their first exposure; nil
	// for none. They are the same for every metric but for the metric's own past.
	Covariates *CovariateRequest
}

// CovariateRequest names values from before the first exposure.
type CovariateRequest struct {
	// Days before the first exposure in which a metric's own past is taken; 0
	// takes none. Every metric but those of a moment (quantile, retention,
	// funnel, time to event) has a past.
	Days float64
	// Metric is the one whose past is taken for all; nil takes each metric's own.
	Metric *Metric
	// Traits are numeric traits as they were at the first exposure. Who has none
	// counts as zero, and in CovariateSums.Missing.
	Traits []string
}

// BreakdownKind says by what people are told apart.
type BreakdownKind string

// The kinds of breakdowns.
const (
	// NoBreakdown is one cell per arm.
	NoBreakdown BreakdownKind = ""
	// ByDay gives a cell per arm and UTC day, of everything up to the day's end: the
	// same sums that a report at that moment has, but of the people and with the cap
	// of the whole span, and without quantiles. Of a long span there are MaxSeries
	// days, evenly spaced, the last among them.
	ByDay BreakdownKind = "day"
	// ByPhase tells people apart by the moment of their first exposure.
	ByPhase BreakdownKind = "phase"
	// ByDimension tells people apart by what was true of them at their first
	// exposure.
	ByDimension BreakdownKind = "dimension"
)

// Breakdown says by what people are told apart.
type Breakdown struct {
	Kind BreakdownKind
	// Dimensions, of ByDimension, have the form trait.NAME, context.NAME (of the
	// decision, or of the event that exposed), property.NAME (of that event), or
	// decision.channel, .offer, .creative, .action, .policy, .group or .point. The
	// cells are those of all combinations of values.
	Dimensions []string
	// Phases, of ByPhase, are the moments at which one phase ends and the next
	// begins, ascending.
	Phases []time.Time

	grid *dayGrid // of ByDay
}

// SumsTable holds the cells of a request.
type SumsTable struct {
	Cells []SumsCell
	// Caps are the bounds that the values of each metric were cut to; nil for a
	// metric without.
	Caps []*float64
	// Truncated says that there were more values of the dimension than are told
	// apart; the rarest are together under the value OtherValues.
	Truncated bool
	// Unseen names, for each metric of which nothing was counted, those of its events
	// that had never come in from anybody: as a rule a name that is written wrong.
	Unseen [][]string
	// SQL are the statements that the sums came from, in their order.
	SQL []string
}

// Values of a dimension that are not values: people of whom it is not known,
// and those with one of the values beyond the limit.
const (
	UnknownValue = "(unknown)"
	OtherValues  = "(other)"
)

// SumsCell is one arm, or one arm within one value of the breakdown.
type SumsCell struct {
	Variant string
	Day     time.Time // of ByDay: the day whose end the cell is of
	Phase   int       // of ByPhase: 0 before the first boundary
	Values  []string  // of ByDimension, in the order of Breakdown.Dimensions
	Units   int64     // people seen in this arm only
	Mixed   int64     // people first seen in this arm, and in others too
	Metrics []Sums    // in the order of the request
}

// Sums holds what is added up of one metric over the people of a cell. All but
// Quantile add: the sums of two cells without a common person are those of both.
type Sums struct {
	Kind Kind
	// Units are the people who count for the metric: all of the cell, or those
	// whose window has passed where the metric asks what has happened by its end.
	Units   int64
	Matured int64 // people whose window has passed
	NonZero int64 // people whose value is not zero; successes of a proportion
	Capped  int64 // people whose value was cut to the cap

	Events    int64 // events that counted
	Missing   int64 // of those, without the numeric property
	NotFinite int64 // of those, with a property that is no number (NaN or infinite)

	Y, YY float64 // Σy, Σy² of the people's values, cut to the cap
	Cubes float64 // Σy³, of which the skewness is made; of means only
	// The same without the cap; equal to Y and YY where there is none.
	UncappedY, UncappedYY float64
	D, DD, YD             float64 // Σd, Σd², Σyd of a ratio's denominator

	// Covariates: the metric's past first (of a ratio its numerator, then its
	// denominator), then the traits in the order of the request.
	Covariates []CovariateSums
	// Cross is the upper triangle by rows, with the diagonal, of Σxx′ over the covariates.
	Cross []float64

	Quantile *stats.Quantile // of a quantile metric
	// Funnel counts, for each step, the people who came so far.
	Funnel []int64

	bound float64 // of the cap
}

// CovariateSums are the sums of one covariate and of its products with the metric.
type CovariateSums struct {
	Name    string  // "past", "past denominator", or the trait
	X       float64 // Σx
	XY      float64 // Σxy
	XD      float64 // Σxd, of a ratio
	Missing int64   // people of whom it is not known, who count as zero

	known int64 // people of whom it is known; negative where that is all
}

// Sample is the metric without covariates, for the statistics.
func (s *Sums) Sample() stats.Sample {
	switch {
	case s.Kind == QuantileKind:
		if s.Quantile == nil {
			return stats.Quantile{}
		}
		return *s.Quantile
	case s.Kind.binary():
		return stats.Proportion{N: s.Units, Successes: s.NonZero}
	case s.Kind == RatioKind:
		return stats.Ratio{N: s.Units, Numerator: s.Y, NumeratorSquares: s.YY, Denominator: s.D, DenominatorSquares: s.DD, Products: s.YD}
	}
	return stats.Mean{N: s.Units, Sum: s.Y, SumSquares: s.YY}
}

// Uncapped is the metric without covariates and without its cap.
func (s *Sums) Uncapped() stats.Sample {
	if s.Kind.binary() || s.Kind == RatioKind || s.Kind == QuantileKind {
		return s.Sample()
	}
	return stats.Mean{N: s.Units, Sum: s.UncappedY, SumSquares: s.UncappedYY}
}

// Adjusted is the metric with its covariates, for variance reduction; nil
// where it has none or where its kind knows none.
func (s *Sums) Adjusted() stats.Sample {
	k := len(s.Covariates)
	switch {
	case k == 0 || s.Kind == QuantileKind:
		return nil
	case s.Kind == RatioKind:
		if k < 2 || s.Covariates[1].Name != pastDenominator {
			return nil
		}
		m, d := &s.Covariates[0], &s.Covariates[1]
		return stats.AdjustedRatio{
			N: s.Units, Numerator: s.Y, NumeratorSquares: s.YY, Denominator: s.D, DenominatorSquares: s.DD, Products: s.YD,
			PreNumerator: m.X, PreDenominator: d.X,
			PreNumeratorSquares: s.cross(0, 0), PreProducts: s.cross(0, 1), PreDenominatorSquares: s.cross(1, 1),
			NumeratorPreNumerator: m.XY, NumeratorPreDenominator: d.XY,
			DenominatorPreNumerator: m.XD, DenominatorPreDenominator: d.XD,
		}
	case k == 1:
		c := &s.Covariates[0]
		return stats.Adjusted{
			N: s.Units, Sum: s.Y, SumSquares: s.YY, CovariateSum: c.X, CovariateSquares: s.Cross[0], Products: c.XY,
			// Only the past of a proportion is 0 or 1 as well.
			Binary: s.Kind.binary() && c.Name == pastCovariate,
		}
	}
	c := stats.Covariates{N: s.Units, Sum: s.Y, CovariateSums: make([]float64, k), Products: make([]float64, 0, (k+1)*(k+2)/2)}
	c.Products = append(c.Products, s.YY)
	for i := range s.Covariates {
		c.CovariateSums[i] = s.Covariates[i].X
		c.Products = append(c.Products, s.Covariates[i].XY)
	}
	c.Products = append(c.Products, s.Cross...)
	return c
}

// Names of the covariates that are a metric's own past.
const (
	pastCovariate   = "past"
	pastDenominator = "past denominator"
)

// cross is Σ of covariate i times covariate j, of a ratio's first two.
func (s *Sums) cross(i, j int) float64 {
	k := len(s.Covariates)
	return s.Cross[i*k-i*(i-1)/2+j-i]
}
