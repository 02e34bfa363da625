package vector

import (
	"math"
)

// Dot is the dot product of two vectors of the same length, a multiple of Lane.
func Dot(a, b []float32) float32 {
	var out [1]float32
	DotRows(a, b[:len(a)], out[:])
	return out[0]
}

// DotRows writes to dst the dot products of q with the rows that lie one behind the
// other in rows, len(dst) of them. len(q) is a multiple of Lane.
func DotRows(q, rows, dst []float32) {
	if len(q) == 0 || len(q)%Lane != 0 {
		clear(dst)
		if len(q) == 0 {
			return
		}
		panic("vector: the length of a vector must be a multiple of Lane")
	}
	if len(dst) == 0 {
		return
	}
	_ = rows[len(q)*len(dst)-1]
	dotRows(q, rows, dst)
}

// Axpy adds alpha times x to y, of the same length, a multiple of Lane.
func Axpy(alpha float32, x, y []float32) {
	if len(x) == 0 {
		return
	}
	if len(x)%Lane != 0 {
		panic("vector: the length of a vector must be a multiple of Lane")
	}
	_ = y[len(x)-1]
	axpy(alpha, x, y[:len(x)])
}

// AddGram adds to the upper triangle of the d by d matrix gram, which lies in rows of
// stride numbers, alpha times the sum of the outer products of n rows with themselves:
// of the d numbers from offset on in each row of length width. d, offset and width are
// multiples of Lane. Up to Lane-1 numbers under the diagonal are written too.
func AddGram(gram []float32, stride, d int, alpha float32, rows []float32, width, offset, n int) {
	if n == 0 || d == 0 {
		return
	}
	if d%Lane != 0 || offset%Lane != 0 || width%Lane != 0 {
		panic("vector: widths must be multiples of Lane")
	}
	_, _ = gram[(d-1)*stride+d-1], rows[(n-1)*width+offset+d-1]
	for i := 0; i < d; i += Lane {
		for j := i; j < d; j += Lane {
			gramTile(gram[i*stride+j:], stride, rows[offset+i:], rows[offset+j:], width, n, alpha)
		}
	}
}

// Gather brings together rows that lie apart: for each number in columns, of which there
// are as many as scales and pulls, it takes the d numbers of rows that begin at
// column × stride, writes them, times the scale, one behind the other to dst, and adds
// them, times the pull, to right. d is a multiple of Lane.
func Gather(dst, right, rows []float32, columns []int32, scales, pulls []float32, d, stride int) {
	n := len(columns)
	if n == 0 || d == 0 {
		return
	}
	if d%Lane != 0 {
		panic("vector: the length of a vector must be a multiple of Lane")
	}
	_, _, _, _ = dst[n*d-1], right[d-1], scales[n-1], pulls[n-1]
	var least, most int32
	for _, c := range columns {
		least, most = min(least, c), max(most, c)
	}
	_ = rows[int(most)*stride+d-1]
	_ = rows[int(least)*stride]
	gather(dst, right, rows, columns, scales, pulls, d, stride)
}

// Cholesky factors the symmetric positive definite d by d matrix whose upper triangle
// is in a as UᵀU and leaves U there, with zeros under the diagonal of each block of
// Lane. It reports whether the matrix is positive definite in this precision; what a
// holds is of no use when it is not. d is a multiple of Lane.
//
// Blocked, right-looking (Golub and Van Loan, Matrix Computations, 4.2.9): a block of
// Lane rows is factored, then what it takes from the rest is one sum of outer
// products.
func Cholesky(a []float32, d int) bool {
	if d%Lane != 0 {
		panic("vector: the order of a matrix must be a multiple of Lane")
	}
	for b := 0; b < d; b += Lane {
		for k := b; k < b+Lane; k++ {
			row := a[k*d : k*d+d]
			lead := row[k]
			if !(lead > 0) || lead > math.MaxFloat32 {
				return false
			}
			clear(row[b:k])
			scale := 1 / float32(math.Sqrt(float64(lead)))
			// What is left of k in the block is zero, and stays so below.
			below := a[min(k+1, d-1)*d+b:]
			pivot(row[b:], scale, below, d, row[k+1:b+Lane])
		}
		for i := b + Lane; i < d; i += Lane {
			for j := i; j < d; j += Lane {
				gramTile(a[i*d+j:], d, a[b*d+i:], a[b*d+j:], d, Lane, -1)
			}
		}
	}
	return true
}

// Solve replaces b by the solution of UᵀU x = b, with U from Cholesky. work has the
// length of b.
func Solve(u []float32, d int, b, work []float32) {
	for k := range d {
		y := b[k] / u[k*d+k]
		from := k &^ (Lane - 1)
		axpy(-y, u[k*d+from:k*d+d], b[from:d])
		work[k] = y
	}
	clear(b[:d])
	for k := d - 1; k >= 0; k-- {
		from := k &^ (Lane - 1)
		b[k] = (work[k] - Dot(u[k*d+from:k*d+d], b[from:d])) / u[k*d+k]
	}
}
