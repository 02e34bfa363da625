package bandits

import (
	"fmt"
	"math"
	"slices"
)

// Vector is a sparse feature vector: Values[i] stands at position Indices[i],
// everything else is zero. Indices ascend strictly. It is stored in the decision
// row as it is, and the same two slices rebuild it bit for bit.
type Vector struct {
	Indices []uint32  `json:"indices"`
	Values  []float64 `json:"values"`
}

// Reset empties the vector and keeps its memory.
func (v *Vector) Reset() {
	v.Indices = v.Indices[:0]
	v.Values = v.Values[:0]
}

// Grow makes room for n active features, so that encoding does not allocate.
func (v *Vector) Grow(n int) {
	v.Indices = slices.Grow(v.Indices, max(0, n-len(v.Indices)))
	v.Values = slices.Grow(v.Values, max(0, n-len(v.Values)))
}

// Len is the number of active features.
func (v Vector) Len() int { return len(v.Indices) }

// Clone returns a copy that shares no memory.
func (v Vector) Clone() Vector {
	return Vector{Indices: slices.Clone(v.Indices), Values: slices.Clone(v.Values)}
}

// Validate reports why v is not a vector of the given dimension: slices of
// different lengths, indices that do not ascend or lie outside, a value that is
// not finite.
func (v Vector) Validate(dimension int) error {
	if len(v.Indices) != len(v.Values) {
		return fmt.Errorf("feature vector: %d indices but %d values", len(v.Indices), len(v.Values))
	}
	next := uint64(0)
	for i, ix := range v.Indices {
		if uint64(ix) < next {
			return fmt.Errorf("feature vector: indices[%d] is %d: indices must ascend without repetition", i, ix)
		}
		if x := v.Values[i]; math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("feature vector: values[%d] (feature %d) must be finite", i, ix)
		}
		next = uint64(ix) + 1
	}
	if next > uint64(max(dimension, 0)) {
		return fmt.Errorf("feature vector: index %d is outside of dimension %d", next-1, dimension)
	}
	return nil
}

// Dense writes the vector into dst, whose length is the dimension. Positions
// outside of dst are ignored.
func (v Vector) Dense(dst []float64) {
	clear(dst)
	for i, ix := range v.Indices {
		if int(ix) < len(dst) && i < len(v.Values) {
			dst[ix] = v.Values[i]
		}
	}
}

// append adds one active feature; zeros are left out, as they change nothing.
func (v *Vector) append(index uint32, value float64) {
	if value == 0 {
		return
	}
	v.Indices = append(v.Indices, index)
	v.Values = append(v.Values, value)
}
