//go:build !amd64

package vector

// Kernels names what the kernels are made of on this machine.
func Kernels() string { return "go" }

func dotRows(q, rows, dst []float32)     { dotRowsGo(q, rows, dst) }
func axpy(alpha float32, x, y []float32) { axpyGo(alpha, x, y) }
func gramTile(c []float32, stride int, a, b []float32, width, n int, alpha float32) {
	gramTileGo(c, stride, a, b, width, n, alpha)
}

func gather(dst, right, rows []float32, columns []int32, scales, pulls []float32, d, stride int) {
	gatherGo(dst, right, rows, columns, scales, pulls, d, stride)
}

func pivot(row []float32, scale float32, below []float32, stride int, factors []float32) {
	pivotGo(row, scale, below, stride, factors)
}
