package assignment

import (
	"strconv"
	"unicode/utf16"
)

// Encoding says what of a text is hashed by [FNV].
type Encoding uint8

// The encodings. The two agree on ASCII and on nothing else: hash("seed", "é", 2) is
// 0.9593 of bytes and 0.8663 of code units.
const (
	// UTF8 hashes the bytes, as GrowthBook's SDKs for Go, Python, Ruby and others do.
	UTF8 Encoding = iota
	// UTF16 hashes code units, as its SDK for JavaScript does.
	UTF16
)

const (
	fnvOffset = 2166136261
	fnvPrime  = 16777619
)

// fnv1a goes on with a 32-bit FNV-1a hash.
func (e Encoding) fnv1a(hash uint32, text string) uint32 {
	if e == UTF16 {
		return fnvUnits(hash, text)
	}
	for i := range len(text) {
		hash = (hash ^ uint32(text[i])) * fnvPrime
	}
	return hash
}

func fnvUnits(hash uint32, text string) uint32 {
	for _, r := range text {
		if high, low := utf16.EncodeRune(r); r >= 0x10000 {
			hash = (hash ^ uint32(high)) * fnvPrime
			r = low
		}
		hash = (hash ^ uint32(r)) * fnvPrime
	}
	return hash
}

// FNV is [Encoding.FNV] of the bytes.
func FNV(seed, value string, version int) (float64, bool) { return UTF8.FNV(seed, value, version) }

// FNV is GrowthBook's hash of a value in [0, 1). Version 1 has steps of 1/1000 and is
// biased between experiments; version 2 has steps of 1/10000. It is false for any
// other version.
func (e Encoding) FNV(seed, value string, version int) (float64, bool) {
	switch version {
	case 1:
		return float64(e.fnv1a(e.fnv1a(fnvOffset, value), seed)%1000) / 1000, true
	case 2:
		var digits [10]byte // of the first hash, which is hashed again as a decimal number
		hash := uint32(fnvOffset)
		for _, c := range strconv.AppendUint(digits[:0], uint64(e.fnv1a(e.fnv1a(fnvOffset, seed), value)), 10) {
			hash = (hash ^ uint32(c)) * fnvPrime
		}
		return float64(hash%10000) / 10000, true
	}
	return 0, false
}

// Range is a half-open range [From, To) of bucket numbers.
type Range struct {
	From float64 `json:"from" minimum:"0" maximum:"1" doc:"Where the range begins"`
	To   float64 `json:"to" minimum:"0" maximum:"1" doc:"Where the range ends; the end itself is outside"`
}

// Holds says whether a bucket is in the range.
func (r Range) Holds(bucket float64) bool { return bucket >= r.From && bucket < r.To }

// InNamespace says whether a value is in a range of one of GrowthBook's namespaces,
// which hash with version 1.
func InNamespace(value, namespace string, r Range) bool { return UTF8.InNamespace(value, namespace, r) }

// InNamespace is [InNamespace] by an encoding.
func (e Encoding) InNamespace(value, namespace string, r Range) bool {
	hash := e.fnv1a(e.fnv1a(e.fnv1a(fnvOffset, value), "__"), namespace)
	return r.Holds(float64(hash%1000) / 1000)
}

// EqualWeights are n weights of 1/n, none when n is not above zero.
func EqualWeights(n int) []float64 {
	weights := make([]float64, max(n, 0))
	for i := range weights {
		weights[i] = 1 / float64(n)
	}
	return weights
}

// BucketRanges are the ranges of n variants as GrowthBook makes them. Each variant has
// its weight's part of [0, 1), of which coverage is taken from the beginning, so that
// widening moves nobody. Coverage is cut to [0, 1]; weights that are not n, or that do
// not sum to 1 within 0.01, are replaced by equal ones.
func BucketRanges(n int, coverage float64, weights []float64) []Range {
	coverage = min(max(coverage, 0), 1)
	var sum float64
	for _, w := range weights {
		sum += w
	}
	if len(weights) != n || sum < 0.99 || sum > 1.01 {
		weights = EqualWeights(n)
	}
	ranges := make([]Range, len(weights))
	var start float64
	for i, w := range weights {
		ranges[i] = Range{start, start + coverage*w}
		start += w
	}
	return ranges
}

// Choose is the index of the first range that holds a bucket, −1 when none does.
func Choose(bucket float64, ranges []Range) int {
	for i, r := range ranges {
		if r.Holds(bucket) {
			return i
		}
	}
	return -1
}
