package vector

import "golang.org/x/sys/cpu"

type instructions int

const (
	plainGo instructions = iota
	avx2
	avx512
)

// What the processor has, found once: a property of the machine.
var best = func() instructions {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return avx512
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return avx2
	}
	return plainGo
}()

// Kernels names what the kernels are made of on this machine: avx512, avx2 or go.
func Kernels() string { return [...]string{"go", "avx2", "avx512"}[best] }

func dotRows(q, rows, dst []float32) {
	switch best {
	case avx512:
		dotRows512(&q[0], &rows[0], &dst[0], len(dst), len(q))
	case avx2:
		dotRows256(&q[0], &rows[0], &dst[0], len(dst), len(q))
	default:
		dotRowsGo(q, rows, dst)
	}
}

func axpy(alpha float32, x, y []float32) {
	switch best {
	case avx512:
		axpy512(alpha, &x[0], &y[0], len(x))
	case avx2:
		axpy256(alpha, &x[0], &y[0], len(x))
	default:
		axpyGo(alpha, x, y)
	}
}

func gramTile(c []float32, stride int, a, b []float32, width, n int, alpha float32) {
	switch best {
	case avx512:
		gramTile512(&c[0], stride, &a[0], &b[0], width, n, alpha)
	case avx2:
		gramTile256(&c[0], stride, &a[0], &b[0], width, n, alpha)
	default:
		gramTileGo(c, stride, a, b, width, n, alpha)
	}
}

func gather(dst, right, rows []float32, columns []int32, scales, pulls []float32, d, stride int) {
	switch best {
	case avx512:
		gather512(&dst[0], &right[0], &rows[0], &columns[0], &scales[0], &pulls[0], len(columns), d, stride)
	case avx2:
		gather256(&dst[0], &right[0], &rows[0], &columns[0], &scales[0], &pulls[0], len(columns), d, stride)
	default:
		gatherGo(dst, right, rows, columns, scales, pulls, d, stride)
	}
}

func pivot(row []float32, scale float32, below []float32, stride int, factors []float32) {
	switch {
	case best == plainGo || len(factors) == 0:
		pivotGo(row, scale, below, stride, factors)
	case best == avx512:
		pivot512(&row[0], scale, &below[0], stride, &factors[0], len(factors), len(row))
	default:
		pivot256(&row[0], scale, &below[0], stride, &factors[0], len(factors), len(row))
	}
}

// dotRows512 writes n dot products of q with rows of d numbers, a multiple of 16.
//
//go:noescape
func dotRows512(q, rows, dst *float32, n, d int)

//go:noescape
func dotRows256(q, rows, dst *float32, n, d int)

// axpy512 adds alpha x to y, n numbers, a multiple of 16.
//
//go:noescape
func axpy512(alpha float32, x, y *float32, n int)

//go:noescape
func axpy256(alpha float32, x, y *float32, n int)

// gramTile512 adds alpha Σ_k a_k b_kᵀ, 16 by 16, to c, whose rows lie stride numbers
// apart; a_k and b_k begin width numbers apart.
//
//go:noescape
func gramTile512(c *float32, stride int, a, b *float32, width, n int, alpha float32)

//go:noescape
func gramTile256(c *float32, stride int, a, b *float32, width, n int, alpha float32)

// gather512 writes scale times row to dst, n rows of d numbers, a multiple of 16, which
// begin stride numbers apart in rows, and adds pull times row to right.
//
//go:noescape
func gather512(dst, right, rows *float32, columns *int32, scales, pulls *float32, n, d, stride int)

//go:noescape
func gather256(dst, right, rows *float32, columns *int32, scales, pulls *float32, n, d, stride int)

// pivot512 multiplies row, n numbers, a multiple of 16, by scale, and takes factor times
// row from each of count rows below, which begin stride numbers apart. The factors may
// be a part of row: they are read after it was multiplied.
//
//go:noescape
func pivot512(row *float32, scale float32, below *float32, stride int, factors *float32, count, n int)

//go:noescape
func pivot256(row *float32, scale float32, below *float32, stride int, factors *float32, count, n int)
