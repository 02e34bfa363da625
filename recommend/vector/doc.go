// Package vector holds the float32 kernels under the recommenders: dot products of
// one vector with many rows, sums of outer products, and the solution of small
// symmetric systems. On amd64 they use AVX-512 or AVX2 with FMA where the processor
// has them, in Go assembly, so that neither cgo nor an experiment of the compiler is
// needed; elsewhere the same in Go.
//
// Rows are padded with zeros to a multiple of Lane, which changes no dot product and
// spares every kernel its tail.
package vector

// Lane is what lengths of vectors are multiples of.
const Lane = 16

// Pad is the least multiple of Lane that is not below d.
func Pad(d int) int { return (d + Lane - 1) &^ (Lane - 1) }
