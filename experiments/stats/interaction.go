package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// InteractionAlarm is the p-value below which two experiments are said to
// interact (Eppo).
const InteractionAlarm = 0.01

// Interaction asks whether the effect of a first experiment depends on the arm
// of a second: (TT − TC) − (CT − CC), where the first letter is the arm of the
// second experiment and the second that of the first, so that cells is indexed
// [arm of the second][arm of the first], control first. Welch's test with the
// Satterthwaite degrees of freedom of four means.
func Interaction(cells [2][2]Sample, o Options) (Effect, error) {
	var means, shares [2][2]float64
	var units int64
	var total float64
	var arms [2][2]Estimate
	for i := range cells {
		for k := range cells[i] {
			name := fmt.Sprintf("cells[%d][%d]", i, k)
			e, err := cellEstimate(cells[i][k], name, o)
			if err != nil {
				return Effect{}, err
			}
			arms[i][k], means[i][k] = e, e.Mean
			shares[i][k] = e.Variance / float64(e.N)
			total += shares[i][k]
			units += e.N
		}
	}
	var spread float64
	for i := range arms {
		for k := range arms[i] {
			v := shares[i][k] / total
			spread += v * v / float64(arms[i][k].N-1)
		}
	}
	d := difference{
		estimate: (means[1][1] - means[1][0]) - (means[0][1] - means[0][0]),
		variance: total, degrees: 1 / spread, units: units, baseline: means[0][0],
	}
	return d.infer(o)
}

func cellEstimate(s Sample, name string, o Options) (Estimate, error) {
	e, err := estimateOf(s, o)
	if err != nil {
		return Estimate{}, about(err, name)
	}
	return e, testableArm(e, name)
}

// TableTest is the result of a χ² test.
type TableTest struct {
	ChiSquared       float64
	DegreesOfFreedom int
	PValue           float64
}

// EffectsInteract asks whether the effects of two experiments with any number
// of arms depend on one another: the Wald test that all interaction contrasts
// of the cells' means are zero, which is the interaction term of a two-way
// analysis of variance without the assumption that all cells have one variance.
// Cells is indexed [arm of the second][arm of the first].
//
// χ² needs every cell to have a few dozen units; with fewer, tests reject too
// often.
func EffectsInteract(cells [][]Sample, o Options) (TableTest, error) {
	rows := len(cells)
	if rows < 2 || len(cells[0]) < 2 {
		return TableTest{}, problem(InvalidOption, "cells", "an interaction needs two arms or more of both experiments")
	}
	columns := len(cells[0])
	estimates := make([][]Estimate, rows)
	for i := range cells {
		if len(cells[i]) != columns {
			return TableTest{}, problem(InvalidOption, "cells", "row %d has %d cells, the first has %d", i, len(cells[i]), columns)
		}
		estimates[i] = make([]Estimate, columns)
		for k := range cells[i] {
			e, err := cellEstimate(cells[i][k], fmt.Sprintf("cells[%d][%d]", i, k), o)
			if err != nil {
				return TableTest{}, err
			}
			estimates[i][k] = e
		}
	}
	df := (rows - 1) * (columns - 1)
	contrasts := mat.NewVecDense(df, nil)
	variance := mat.NewSymDense(df, nil)
	v := func(i, k int) float64 { return estimates[i][k].Variance / float64(estimates[i][k].N) }
	index := func(i, k int) int { return (i-1)*(columns-1) + k - 1 }
	for i := 1; i < rows; i++ {
		for k := 1; k < columns; k++ {
			contrasts.SetVec(index(i, k), estimates[i][k].Mean-estimates[i][0].Mean-estimates[0][k].Mean+estimates[0][0].Mean)
			for i2 := i; i2 < rows; i2++ {
				for k2 := 1; k2 < columns; k2++ {
					if index(i2, k2) < index(i, k) {
						continue
					}
					c := v(0, 0)
					if k == k2 {
						c += v(0, k)
					}
					if i == i2 {
						c += v(i, 0)
					}
					if i == i2 && k == k2 {
						c += v(i, k)
					}
					variance.SetSym(index(i, k), index(i2, k2), c)
				}
			}
		}
	}
	var factor mat.Cholesky
	var solved mat.VecDense
	if !factor.Factorize(variance) || factor.SolveVecTo(&solved, contrasts) != nil {
		return TableTest{}, problem(PrecisionLost, "cells", "the cells' variances differ by more than floating point can hold")
	}
	return chiSquared(mat.Dot(contrasts, &solved), df)
}

// AssignmentsIndependent asks whether the arms of two experiments were assigned
// independently of one another: Pearson's χ² on the table of units by arm of
// both. Arms without any unit are left out.
//
// Problems: InvalidOption, ImpossibleSums for negative counts, TooFewUnits
// where fewer than two arms have units or a cell expects fewer than five.
func AssignmentsIndependent(units [][]int64) (TableTest, error) {
	if len(units) < 2 {
		return TableTest{}, problem(InvalidOption, "units", "a table needs two rows or more")
	}
	columns := len(units[0])
	rowTotals, columnTotals := make([]float64, len(units)), make([]float64, columns)
	var total float64
	for i, row := range units {
		if len(row) != columns {
			return TableTest{}, problem(InvalidOption, "units", "row %d has %d cells, the first has %d", i, len(row), columns)
		}
		for k, n := range row {
			if n < 0 {
				return TableTest{}, problem(ImpossibleSums, fmt.Sprintf("units[%d][%d]", i, k), "%d units", n)
			}
			rowTotals[i] += float64(n)
			columnTotals[k] += float64(n)
			total += float64(n)
		}
	}
	var chi float64
	filledRows, filledColumns := positive(rowTotals), positive(columnTotals)
	if filledRows < 2 || filledColumns < 2 {
		return TableTest{}, problem(TooFewUnits, "units", "both experiments need two arms with units")
	}
	for i, row := range units {
		for k, n := range row {
			expected := rowTotals[i] * columnTotals[k] / total
			if expected == 0 {
				continue
			}
			if expected < 5 {
				return TableTest{}, problem(TooFewUnits, fmt.Sprintf("units[%d][%d]", i, k), "the cell expects %.1f units, the test needs 5", expected)
			}
			deviation := float64(n) - expected
			chi += deviation * deviation / expected
		}
	}
	return chiSquared(chi, (filledRows-1)*(filledColumns-1))
}

func positive(values []float64) (n int) {
	for _, v := range values {
		if v > 0 {
			n++
		}
	}
	return n
}

func chiSquared(chi float64, df int) (TableTest, error) {
	if !finite(chi) {
		return TableTest{}, problem(NotFinite, "", "χ² is outside the range of floating point")
	}
	chi = math.Max(0, chi)
	return TableTest{ChiSquared: chi, DegreesOfFreedom: df, PValue: distuv.ChiSquared{K: float64(df)}.Survival(chi)}, nil
}
