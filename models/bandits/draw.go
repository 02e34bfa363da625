package bandits

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// DefaultFloor is the share of decisions that explore uniformly where nothing
// else is said; MinFloor is the least that a learning policy may have. Without a
// floor a log cannot be evaluated: a propensity of 1e-6 is a weight of a million.
const (
	DefaultFloor = 0.05
	MinFloor     = 0.01
)

// Floor mixes the uniform distribution into p: q_k = f/K + (1-f) p_k. out may be
// p itself. It returns an error if f is outside of [0, 1], p is not a
// distribution, or the result fails the check that every logged propensity must
// pass ([CheckDistribution]).
func Floor(p []float64, f float64, out []float64) error {
	if !(f >= 0 && f <= 1) {
		return fmt.Errorf("exploration floor must be from 0 to 1, not %g", f)
	}
	if len(out) != len(p) {
		return fmt.Errorf("exploration floor: %d probabilities but room for %d", len(p), len(out))
	}
	share := f / float64(len(p))
	for k, x := range p {
		out[k] = share + float64((1-f)*x)
	}
	return CheckDistribution(out, share)
}

// CheckDistribution reports why q is not a distribution with every probability at
// least least: it must sum to 1 within 1e-12.
func CheckDistribution(q []float64, least float64) error {
	if len(q) == 0 {
		return ErrNoCandidates
	}
	var sum float64
	for k, x := range q {
		if !(x >= least && x <= 1+1e-12) {
			return fmt.Errorf("probability %d is %g, must be from %g to 1", k, x, least)
		}
		sum += x
	}
	if !(math.Abs(sum-1) <= 1e-12) {
		return fmt.Errorf("probabilities sum to 1%+g, must sum to 1", sum-1)
	}
	return nil
}

// Draw returns the index that the uniform number u in [0, 1) draws from q: the
// first k with u < q_0+…+q_k. It never returns an action of probability zero, even
// where the sum of q is rounded to less than u; -1 only if there is none other.
func Draw(q []float64, u float64) int {
	var cumulative float64
	last := -1
	for k, x := range q {
		if !(x > 0) {
			continue
		}
		cumulative += x
		last = k
		if u < cumulative {
			return k
		}
	}
	return last
}

// Uniform is a number in [0, 1) that depends on nothing but its arguments: the
// first 53 bits of HMAC-SHA256 with the salt as key over domain and decision id.
// Different domains (the factors of one decision, say) give independent numbers.
// The salt keeps callers who choose ids from choosing the outcome.
func Uniform(decisionID, salt, domain string) float64 {
	// HMAC as in RFC 2104, written out because crypto/hmac allocates; a test
	// compares the two.
	const blockSize = sha256.BlockSize
	var room [4 * blockSize]byte
	var key [blockSize]byte
	if len(salt) > blockSize {
		sum := sha256.Sum256(append(room[:0], salt...))
		copy(key[:], sum[:])
	} else {
		copy(key[:], salt)
	}
	inner := room[:0]
	for _, b := range key {
		inner = append(inner, b^0x36)
	}
	// The length keeps ("a", "bc") apart from ("ab", "c").
	inner = binary.BigEndian.AppendUint32(inner, uint32(len(domain)))
	inner = append(inner, domain...)
	inner = append(inner, decisionID...)
	digest := sha256.Sum256(inner)

	var outer [blockSize + sha256.Size]byte
	for i, b := range key {
		outer[i] = b ^ 0x5c
	}
	copy(outer[blockSize:], digest[:])
	sum := sha256.Sum256(outer[:])
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) * 0x1p-53
}
