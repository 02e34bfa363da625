package experiments

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"quintet/experiments/assignment"
	"quintet/internal/problem"
)

// WeightTolerance is how far the weights of an experiment may be from summing
// to one.
const WeightTolerance = 1e-6

// Bucket is [assignment.Bucket].
func Bucket(salt, unit string) float64 { return assignment.Bucket(salt, unit) }

// Assign gives the index of the variant that a unit gets by salt and weights alone;
// see [assignment.Weighted].
func Assign(salt, unit string, weights []float64) int {
	return assignment.Weighted(assignment.Bucket(salt, unit), weights)
}

// MaxSaltLength is the number of bytes that a salt may have.
const MaxSaltLength = 256

// checkSalt checks that a salt is UTF-8 text of 1 to MaxSaltLength bytes
// without a zero byte.
func checkSalt(bad *problem.Invalid, field, salt string) {
	switch {
	case salt == "" || len(salt) > MaxSaltLength:
		bad.Add(field, fmt.Sprintf("must have 1 to %d bytes", MaxSaltLength), len(salt))
	case !utf8.ValidString(salt) || strings.ContainsRune(salt, 0):
		bad.Add(field, "must be UTF-8 text without a zero byte", fmt.Sprintf("%q", salt))
	}
}

// Bounds on the number of variants of one experiment.
const (
	MinVariants = 2
	MaxVariants = 100
)

// checkWeights checks that weights make a split: 2 to 100 of them, each finite
// and 0 or more, summing to 1 within WeightTolerance.
func checkWeights(bad *problem.Invalid, weights []float64) {
	if len(weights) < MinVariants || len(weights) > MaxVariants {
		bad.Add("variants", fmt.Sprintf("must be %d to %d", MinVariants, MaxVariants), len(weights))
		return
	}
	var sum float64
	for i, w := range weights {
		if math.IsNaN(w) || math.IsInf(w, 0) || w < 0 {
			bad.Add(fmt.Sprintf("variants[%d].weight", i), "must be a finite number of 0 or more", number(w))
			return
		}
		sum += w
	}
	if math.Abs(sum-1) > WeightTolerance {
		bad.Add("variants", "the weights must sum to 1", number(sum))
	}
}
