package uplift

import (
	"context"
	"errors"
	"fmt"

	"quintet/internal/learners"
)

// Errors of data that no effect can be learnt from.
var (
	ErrNoControl = errors.New("an arm is too small")
	ErrShape     = errors.New("shapes do not match")
)

// Data are the rows of a randomised experiment.
type Data struct {
	X *learners.Matrix
	Y []float64
	// Arms holds 0 for control, and 1 to Treatments for the treatments.
	Arms       []int
	Treatments int
	// Shares are the probabilities of the arms, the control's first; those of the rows
	// when nil.
	Shares []float64
}

// MinArm is the least number of rows of an arm.
const MinArm = 50

// Check refuses data that nothing can be learnt from and fills in the shares.
func (d *Data) Check() error {
	n := d.X.Rows()
	if len(d.Y) != n || len(d.Arms) != n || d.Treatments < 1 {
		return fmt.Errorf("%w: %d rows, %d outcomes, %d arms of %d treatments", ErrShape, n, len(d.Y), len(d.Arms), d.Treatments)
	}
	counts := make([]int, d.Treatments+1)
	for i, a := range d.Arms {
		if a < 0 || a > d.Treatments {
			return fmt.Errorf("%w: row %d is in arm %d of %d", ErrShape, i, a, d.Treatments)
		}
		counts[a]++
	}
	for a, c := range counts {
		if c < MinArm {
			return fmt.Errorf("%w: arm %d has %d rows, and at least %d are needed", ErrNoControl, a, c, MinArm)
		}
	}
	if err := learners.CheckContinuous(d.Y); err != nil {
		return err
	}
	if d.Shares == nil {
		for _, c := range counts {
			d.Shares = append(d.Shares, float64(c)/float64(n))
		}
	}
	if len(d.Shares) != d.Treatments+1 {
		return fmt.Errorf("%w: %d shares of %d arms", ErrShape, len(d.Shares), d.Treatments+1)
	}
	return nil
}

// Binary says whether every outcome is 0 or 1.
func (d *Data) Binary() bool {
	for _, v := range d.Y {
		if v != 0 && v != 1 {
			return false
		}
	}
	return true
}

// Take is the data of the given rows, with the same shares.
func (d *Data) Take(rows []int) *Data {
	out := &Data{X: d.X.Take(rows), Y: make([]float64, len(rows)), Arms: make([]int, len(rows)), Treatments: d.Treatments, Shares: d.Shares}
	for k, i := range rows {
		out.Y[k], out.Arms[k] = d.Y[i], d.Arms[i]
	}
	return out
}

// rowsOf are the rows of an arm.
func (d *Data) rowsOf(arm int) []int {
	var rows []int
	for i, a := range d.Arms {
		if a == arm {
			rows = append(rows, i)
		}
	}
	return rows
}

// Model gives the effect of each treatment.
type Model interface {
	// Effects writes the effect of treatment k+1 on each row into out[k].
	Effects(m *learners.Matrix, out [][]float64)
}

// Learner fits models of effects.
type Learner interface {
	Name() string
	Fit(ctx context.Context, d *Data) (Model, error)
}

// Predict makes room and asks the model.
func Predict(model Model, m *learners.Matrix, treatments int) [][]float64 {
	out := make([][]float64, treatments)
	for k := range out {
		out[k] = make([]float64, m.Rows())
	}
	model.Effects(m, out)
	return out
}
