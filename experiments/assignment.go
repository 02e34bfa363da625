package experiments

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
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
// must not contain one itself, which [ValidateSalt] refuses.
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
// be valid ([ValidateWeights]); what rounding leaves above their sum belongs to
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

// Holdout is the universal control group: a fixed share of people that no
// advertising decision reaches. Its salt is its own, so that it is independent
// of every experiment; raising the share only adds people.
type Holdout struct {
	Share float64 `json:"share"` // of all units, in [0, 1)
	Salt  string  `json:"salt"`
}

// Holds says whether the unit is held out.
func (h Holdout) Holds(unit string) bool {
	return h.Share > 0 && Bucket(h.Salt, unit) < h.Share
}

// Validate checks share and salt; the error is a [FieldError].
func (h Holdout) Validate() error {
	if !(h.Share >= 0 && h.Share < 1) {
		return &FieldError{Field: "share", Rule: "must be at least 0 and below 1", Value: h.Share}
	}
	return ValidateSalt("salt", h.Salt)
}

// FieldError says which field breaks which rule.
type FieldError struct {
	Field string // as a JSON path: "weights[1]"
	Rule  string
	Value any
}

// Error gives field, rule and value in one line.
func (e *FieldError) Error() string {
	return fmt.Sprintf("%s %s, got %v", e.Field, e.Rule, e.Value)
}

// MaxSaltLength is the number of bytes that a salt may have.
const MaxSaltLength = 256

// ValidateSalt checks that a salt is UTF-8 text of 1 to MaxSaltLength bytes
// without a zero byte. Field is the name under which an error reports it.
func ValidateSalt(field, salt string) error {
	switch {
	case salt == "" || len(salt) > MaxSaltLength:
		return &FieldError{Field: field, Rule: fmt.Sprintf("must have 1 to %d bytes", MaxSaltLength), Value: len(salt)}
	case !utf8.ValidString(salt) || strings.ContainsRune(salt, 0):
		return &FieldError{Field: field, Rule: "must be UTF-8 text without a zero byte", Value: fmt.Sprintf("%q", salt)}
	}
	return nil
}

// Bounds on the number of variants of one experiment.
const (
	MinVariants = 2
	MaxVariants = 100
)

// ValidateWeights checks that the weights make a split: 2 to 100 of them, each
// finite and 0 or more, summing to 1 within WeightTolerance. The error is a
// [FieldError] on "weights" or "weights[i]".
func ValidateWeights(weights []float64) error {
	if len(weights) < MinVariants || len(weights) > MaxVariants {
		return &FieldError{Field: "weights", Rule: fmt.Sprintf("must be %d to %d", MinVariants, MaxVariants), Value: len(weights)}
	}
	var sum float64
	for i, w := range weights {
		if math.IsNaN(w) || math.IsInf(w, 0) || w < 0 {
			return &FieldError{Field: fmt.Sprintf("weights[%d]", i), Rule: "must be a finite number of 0 or more", Value: w}
		}
		sum += w
	}
	if math.Abs(sum-1) > WeightTolerance {
		return &FieldError{Field: "weights", Rule: "must sum to 1", Value: sum}
	}
	return nil
}

// ValidateKeys checks that the variants' keys are there and differ. The error is
// a [FieldError] on "variants[i].key".
func ValidateKeys(keys []string) error {
	seen := make(map[string]int, len(keys))
	for i, key := range keys {
		field := fmt.Sprintf("variants[%d].key", i)
		if key == "" {
			return &FieldError{Field: field, Rule: "must not be empty", Value: key}
		}
		if first, ok := seen[key]; ok {
			return &FieldError{Field: field, Rule: fmt.Sprintf("must differ from variants[%d].key", first), Value: key}
		}
		seen[key] = i
	}
	return nil
}
