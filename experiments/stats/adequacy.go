package stats

import "math"

// SkewnessFactor is Kohavi's: an arm's mean is normal enough for a 95 %
// interval from 355·skewness² units on (Kohavi, Deng, Longbotham and Xu, "Seven
// Rules of Thumb for Web Site Experimenters", KDD 2014, rule 7).
const SkewnessFactor = 355

// Least units per arm for any interval on a mean, and least successes and
// failures per arm for one on a proportion.
const (
	LeastUnits    = 30
	LeastOutcomes = 10
)

// Shape holds the sums from which the skewness of a metric is known. Sums add
// over groups of units: see Plus.
type Shape struct {
	N          int64   // units
	Sum        float64 // Σy
	SumSquares float64 // Σy²
	SumCubes   float64 // Σy³
}

// Plus adds the units of other.
func (s Shape) Plus(other Shape) Shape {
	return Shape{N: s.N + other.N, Sum: s.Sum + other.Sum, SumSquares: s.SumSquares + other.SumSquares, SumCubes: s.SumCubes + other.SumCubes}
}

// Add takes in one value.
func (s *Shape) Add(y float64) {
	s.N++
	s.Sum += y
	s.SumSquares += y * y
	s.SumCubes += y * y * y
}

// ShapeOf gives the shape of a proportion.
func ShapeOf(p Proportion) Shape {
	k := float64(p.Successes)
	return Shape{N: p.N, Sum: k, SumSquares: k, SumCubes: k}
}

// Skewness is E(y−ȳ)³/σ³ of the sample. A small sample of a heavy-tailed metric
// shows less skewness than the metric has.
//
// Problems: TooFewUnits below three units, ZeroVariance, NotFinite and those of
// the mean's sums.
func (s Shape) Skewness() (float64, error) {
	e, err := Mean{N: s.N, Sum: s.Sum, SumSquares: s.SumSquares}.Estimate()
	if err != nil {
		return 0, err
	}
	switch {
	case s.N < 3:
		return 0, problem(TooFewUnits, "", "skewness needs three units or more, there are %d", s.N)
	case !finite(s.SumCubes):
		return 0, problem(NotFinite, "", "the sum of cubes is NaN or infinite")
	case e.Variance == 0:
		return 0, problem(ZeroVariance, "", "all %d units have the same value", s.N)
	}
	n := float64(s.N)
	m2 := e.Variance * (n - 1) / n
	m3 := s.SumCubes/n - 3*e.Mean*(s.SumSquares/n) + 2*e.Mean*e.Mean*e.Mean
	skew := m3 / math.Pow(m2, 1.5)
	if !finite(skew) {
		return 0, problem(NotFinite, "", "the values are too large for a skewness")
	}
	return skew, nil
}

// Adequacy says whether an arm has enough units for the interval of its mean to
// cover as often as it says.
type Adequacy struct {
	Units    int64   // what there is
	Needed   int64   // what it takes
	Skewness float64 // of the metric, in the arm or pooled
}

// Enough is true when the interval can be believed.
func (a Adequacy) Enough() bool { return a.Units >= a.Needed }

// Adequate judges the smaller of two arms by the skewness of both together,
// which knows the tail best. Between arms of equal size and shape most skewness
// cancels out of the difference, so the rule is on the safe side there; it is
// what it takes for each arm's own mean and for a difference between arms of
// unequal size.
func Adequate(control, treatment Shape) (Adequacy, error) {
	skew, err := control.Plus(treatment).Skewness()
	if err != nil {
		return Adequacy{}, err
	}
	needed := math.Max(LeastUnits, math.Ceil(SkewnessFactor*skew*skew))
	if needed > 1e15 {
		return Adequacy{}, problem(NotFinite, "", "the skewness of %g asks for more units than there can be", skew)
	}
	return Adequacy{Units: min(control.N, treatment.N), Needed: int64(needed), Skewness: skew}, nil
}

// AdequateProportion judges two proportions by the outcomes in each arm: at
// least LeastOutcomes units with the outcome and as many without.
func AdequateProportion(control, treatment Proportion) (Adequacy, error) {
	for _, arm := range []struct {
		name string
		p    Proportion
	}{{"control", control}, {"treatment", treatment}} {
		if _, err := arm.p.Estimate(); err != nil {
			return Adequacy{}, about(err, arm.name)
		}
	}
	pooled := control.Plus(treatment)
	rarer := min(pooled.Successes, pooled.N-pooled.Successes)
	if rarer == 0 {
		return Adequacy{}, problem(ZeroVariance, "", "all %d units have the same outcome", pooled.N)
	}
	share := float64(rarer) / float64(pooled.N)
	return Adequacy{
		Units:    min(control.N, treatment.N),
		Needed:   max(LeastUnits, int64(math.Ceil(LeastOutcomes/share))),
		Skewness: (1 - 2*float64(pooled.Successes)/float64(pooled.N)) / math.Sqrt(share*(1-share)),
	}, nil
}
