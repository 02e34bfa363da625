package vector

import (
	"math"
	"math/rand/v2"
	"testing"
)

func random(rng *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64())
	}
	return out
}

// near compares with a sum in float64, within what float32 rounds in so many terms.
func near(got float32, want, size float64) bool {
	return math.Abs(float64(got)-want) <= 1e-6*size+1e-6
}

// forms are the ways in which this machine can run the kernels.
func forms(t *testing.T, f func(t *testing.T)) {
	for _, use := range available() {
		t.Run(use.name, func(t *testing.T) {
			defer use.choose()()
			f(t)
		})
	}
}

// The tests change which kernels run, so that they are not parallel.

func TestDotRowsAndAxpyAgreeWithFloat64(t *testing.T) {
	forms(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		for _, d := range []int{16, 32, 48, 64, 112, 192} {
			for _, n := range []int{1, 2, 3, 4, 5, 7, 9, 31} {
				q, rows := random(rng, d), random(rng, n*d)
				got := make([]float32, n)
				DotRows(q, rows, got)
				for r := range n {
					want, size := 0.0, 0.0
					for i := range d {
						x := float64(q[i]) * float64(rows[r*d+i])
						want, size = want+x, size+math.Abs(x)
					}
					if !near(got[r], want, size) {
						t.Fatalf("d=%d n=%d row %d: %v, want %v", d, n, r, got[r], want)
					}
				}
			}
			x, y := random(rng, d), random(rng, d)
			want := make([]float32, d)
			for i := range d {
				want[i] = y[i] + 0.3*x[i]
			}
			Axpy(0.3, x, y)
			for i := range d {
				if !near(y[i], float64(want[i]), 1) {
					t.Fatalf("axpy d=%d: %v, want %v", d, y[i], want[i])
				}
			}
		}
	})
}

func TestGramAgreesWithFloat64(t *testing.T) {
	forms(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(2, 1))
		for _, d := range []int{16, 48, 64} {
			for _, n := range []int{1, 2, 17, 100} {
				width, offset, stride := d+32, 16, d+5
				rows, gram := random(rng, n*width), random(rng, d*stride)
				before := append([]float32(nil), gram...)
				AddGram(gram, stride, d, -0.5, rows, width, offset, n)
				for i := range d {
					for j := i; j < d; j++ {
						want, size := 0.0, 0.0
						for k := range n {
							x := float64(rows[k*width+offset+i]) * float64(rows[k*width+offset+j])
							want, size = want+x, size+math.Abs(x)
						}
						if got := gram[i*stride+j]; !near(got, float64(before[i*stride+j])-0.5*want, size) {
							t.Fatalf("d=%d n=%d [%d,%d]: %v, want %v", d, n, i, j, got, float64(before[i*stride+j])-0.5*want)
						}
					}
				}
			}
		}
	})
}

func TestGatherAgreesWithFloat64(t *testing.T) {
	forms(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(6, 1))
		for _, d := range []int{16, 32, 48, 64, 80, 128, 144} {
			stride := d + 16
			rows := random(rng, 50*stride)
			for _, n := range []int{0, 1, 5, 33} {
				columns, scales, pulls := make([]int32, n), random(rng, n), random(rng, n)
				for i := range columns {
					columns[i] = int32(rng.IntN(50))
				}
				right, dst := random(rng, d), make([]float32, n*d+1)
				dst[n*d] = 77
				want, size := make([]float64, d), make([]float64, d)
				for j := range d {
					want[j] = float64(right[j])
					for i, c := range columns {
						v := float64(pulls[i]) * float64(rows[int(c)*stride+8+j])
						want[j], size[j] = want[j]+v, size[j]+math.Abs(v)
					}
				}
				Gather(dst, right, rows[8:], columns, scales, pulls, d, stride)
				for j := range d {
					if !near(right[j], want[j], size[j]) {
						t.Fatalf("d=%d n=%d: right[%d] = %v, want %v", d, n, j, right[j], want[j])
					}
					for i, c := range columns {
						if got, want := dst[i*d+j], scales[i]*rows[int(c)*stride+8+j]; got != want {
							t.Fatalf("d=%d n=%d: row %d has %v at %d, want %v", d, n, i, got, j, want)
						}
					}
				}
				if dst[n*d] != 77 {
					t.Fatal("it writes beyond the last row")
				}
			}
		}
	})
}

func TestCholeskySolvesSystems(t *testing.T) {
	forms(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 1))
		for _, d := range []int{16, 32, 64, 128} {
			n := 2 * d
			rows := random(rng, n*d)
			a := make([]float32, d*d)
			AddGram(a, d, d, 1, rows, d, 0, n)
			for i := range d {
				a[i*d+i] += 1
			}
			x, b := random(rng, d), make([]float32, d)
			for i := range d {
				sum := 0.0
				for j := range d {
					sum += float64(a[min(i, j)*d+max(i, j)]) * float64(x[j])
				}
				b[i] = float32(sum)
			}
			if !Cholesky(a, d) {
				t.Fatalf("d=%d: not positive definite", d)
			}
			Solve(a, d, b, make([]float32, d))
			for i := range d {
				if math.Abs(float64(b[i]-x[i])) > 1e-3 {
					t.Fatalf("d=%d: x[%d] = %v, want %v", d, i, b[i], x[i])
				}
			}
		}
		for _, bad := range []float32{0, -1, float32(math.NaN()), float32(math.Inf(1))} {
			a := make([]float32, 16*16)
			for i := range 16 {
				a[i*17] = 1
			}
			a[5*17] = bad
			if Cholesky(a, 16) {
				t.Errorf("a matrix with %v on its diagonal is taken for positive definite", bad)
			}
		}
	})
}

func BenchmarkScan(b *testing.B) {
	rng := rand.New(rand.NewPCG(4, 1))
	q, rows, dst := random(rng, 64), random(rng, 64*100_000), make([]float32, 100_000)
	for _, use := range available() {
		b.Run(use.name, func(b *testing.B) {
			defer use.choose()()
			for b.Loop() {
				DotRows(q, rows, dst)
			}
		})
	}
}

func BenchmarkGram(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 1))
	rows, gram := random(rng, 64*128), make([]float32, 64*64)
	for _, use := range available() {
		b.Run(use.name, func(b *testing.B) {
			defer use.choose()()
			for b.Loop() {
				AddGram(gram, 64, 64, 1, rows, 64, 0, 128)
			}
		})
	}
}

func BenchmarkCholesky(b *testing.B) {
	a, c := make([]float32, 64*64), make([]float32, 64*64)
	for i := range 64 {
		a[i*65] = 2
	}
	x, work := make([]float32, 64), make([]float32, 64)
	for _, use := range available() {
		b.Run(use.name, func(b *testing.B) {
			defer use.choose()()
			for b.Loop() {
				copy(c, a)
				Cholesky(c, 64)
				Solve(c, 64, x, work)
			}
		})
	}
}
