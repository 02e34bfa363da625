package experiments

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"quintet/internal/problem"
)

// WeightTolerance is how far the weights of an experiment may be from summing
// to one.
const WeightTolerance = 1e-6

// Bucket maps a unit to a number in [0, 1) that looks uniform over units and
// independent over salts. It never changes: people's variants hang on it.
//
// The definition is the top 53 bits of XXH64, seed 0, over the UTF-8 bytes of
// salt, one zero byte and unit, divided by 2⁵³. XXH64 because it is a published
// function with no weakness known for this use, because hashing takes tens of
// nanoseconds, and because ClickHouse has it, so that an audit can recompute
// every assignment in SQL:
//
//	bitShiftRight(xxHash64(concat(salt, '\0', unit)), 11) / 9007199254740992
//
// The zero byte keeps salt and unit apart ("ab"+"c" is not "a"+"bc"); a salt
// must not contain one itself, which the validation refuses.
func Bucket(salt, unit string) float64 {
	var d xxhash.Digest
	d.Reset()
	// A Digest's writes never fail.
	_, _ = d.WriteString(salt)
	_, _ = d.WriteString("\x00")
	_, _ = d.WriteString(unit)
	return float64(d.Sum64()>>11) * 0x1p-53
}

// Assign gives the index of the variant that a unit gets: the one whose
// half-open range [Σ earlier weights, Σ earlier weights + own weight) holds the
// unit's bucket. A variant of weight zero gets nobody. Weights are expected to
// be valid; what rounding leaves above their sum belongs to
// the last variant of positive weight. The answer is −1 when no weight is
// positive.
func Assign(salt, unit string, weights []float64) int {
	return choose(Bucket(salt, unit), weights)
}

func choose(bucket float64, weights []float64) int {
	last := -1
	upper := 0.0
	for i, w := range weights {
		if w <= 0 {
			continue
		}
		upper += w
		last = i
		if bucket < upper {
			return i
		}
	}
	return last
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
