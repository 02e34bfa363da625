package assignment

import (
	"github.com/cespare/xxhash/v2"
)

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
	// Usual salts and units fit into a buffer, which is hashed in one go: that takes a
	// third of the time of a digest.
	var room [128]byte
	if len(salt)+1+len(unit) <= len(room) {
		n := copy(room[:], salt)
		room[n] = 0
		n += 1 + copy(room[n+1:], unit)
		return float64(xxhash.Sum64(room[:n])>>11) * 0x1p-53
	}
	var d xxhash.Digest
	d.Reset()
	// A Digest's writes never fail.
	_, _ = d.WriteString(salt)
	_, _ = d.WriteString("\x00")
	_, _ = d.WriteString(unit)
	return float64(d.Sum64()>>11) * 0x1p-53
}

// Weighted gives the index of the variant whose half-open range [Σ earlier weights,
// Σ earlier weights + own weight) holds a bucket. A variant of weight zero gets
// nobody. Weights are expected to be valid; what rounding leaves above their sum
// belongs to the last variant of positive weight. The answer is −1 when no weight is
// positive.
func Weighted(bucket float64, weights []float64) int {
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

// WeightedRanges are the ranges of [Weighted].
func WeightedRanges(weights []float64) []Range {
	ranges := make([]Range, len(weights))
	last, upper := -1, 0.0
	for i, w := range weights {
		if !(w > 0) {
			ranges[i] = Range{upper, upper}
			continue
		}
		ranges[i] = Range{upper, upper + w}
		last, upper = i, upper+w
	}
	if last >= 0 {
		ranges[last].To = 1
	}
	return ranges
}

// Hash is how units become buckets.
type Hash uint8

// The hashes.
const (
	// XXH64 is [Bucket].
	XXH64 Hash = iota
	// GrowthBook is version 2 of [FNV] over bytes.
	GrowthBook
	// GrowthBookUTF16 is the same over code units, as GrowthBook's SDK for JavaScript
	// hashes what is not ASCII.
	GrowthBookUTF16
)

var hashNames = [...]string{XXH64: "xxh64", GrowthBook: "growthbook", GrowthBookUTF16: "growthbook-utf16"}

// ParseHash reads the name of a hash; no name is XXH64.
func ParseHash(name string) (Hash, bool) {
	if name == "" {
		return XXH64, true
	}
	for h, n := range hashNames {
		if n == name {
			return Hash(h), true
		}
	}
	return 0, false
}

// String is the name of the hash.
func (h Hash) String() string {
	if int(h) < len(hashNames) {
		return hashNames[h]
	}
	return "unknown"
}

// Bucket is the bucket of a unit.
func (h Hash) Bucket(salt, unit string) float64 {
	switch h {
	case GrowthBook:
		b, _ := UTF8.FNV(salt, unit, 2)
		return b
	case GrowthBookUTF16:
		b, _ := UTF16.FNV(salt, unit, 2)
		return b
	}
	return Bucket(salt, unit)
}

// Bare is a subject of whom only one unit is known, whatever its name.
type Bare string

// Unit is the unit.
func (b Bare) Unit(string) string { return string(b) }

// Attribute is never known.
func (Bare) Attribute(string) (any, bool) { return nil, false }

// Identifier is none.
func (Bare) Identifier(int) (namespace, value string, ok bool) { return "", "", false }

// Kept is false.
func (Bare) Kept(string, string) (Kept, bool) { return Kept{}, false }
