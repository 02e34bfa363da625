package vector

func dotRowsGo(q, rows, dst []float32) {
	d := len(q)
	for r := range dst {
		row := rows[r*d : r*d+d]
		var s0, s1, s2, s3 float32
		for i := 0; i+4 <= len(q) && i+4 <= len(row); i += 4 {
			a, b := q[i:i+4:i+4], row[i:i+4:i+4]
			s0 += a[0] * b[0]
			s1 += a[1] * b[1]
			s2 += a[2] * b[2]
			s3 += a[3] * b[3]
		}
		dst[r] = s0 + s1 + s2 + s3
	}
}

func axpyGo(alpha float32, x, y []float32) {
	for i := 0; i+4 <= len(x) && i+4 <= len(y); i += 4 {
		a, b := x[i:i+4:i+4], y[i:i+4:i+4]
		b[0] += alpha * a[0]
		b[1] += alpha * a[1]
		b[2] += alpha * a[2]
		b[3] += alpha * a[3]
	}
}

// gramTileGo adds alpha Σ_k a_k b_kᵀ, Lane by Lane, to c, sixteen sums in registers at
// a time.
func gramTileGo(c []float32, stride int, a, b []float32, width, n int, alpha float32) {
	for i := 0; i < Lane; i += 4 {
		for j := 0; j < Lane; j += 4 {
			var s [16]float32
			for k := range n {
				x, y := a[k*width+i:k*width+i+4:k*width+i+4], b[k*width+j:k*width+j+4:k*width+j+4]
				x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
				y0, y1, y2, y3 := y[0], y[1], y[2], y[3]
				s[0] += x0 * y0
				s[1] += x0 * y1
				s[2] += x0 * y2
				s[3] += x0 * y3
				s[4] += x1 * y0
				s[5] += x1 * y1
				s[6] += x1 * y2
				s[7] += x1 * y3
				s[8] += x2 * y0
				s[9] += x2 * y1
				s[10] += x2 * y2
				s[11] += x2 * y3
				s[12] += x3 * y0
				s[13] += x3 * y1
				s[14] += x3 * y2
				s[15] += x3 * y3
			}
			for r := range 4 {
				row := c[(i+r)*stride+j : (i+r)*stride+j+4]
				for t := range row {
					row[t] += alpha * s[4*r+t]
				}
			}
		}
	}
}

func gatherGo(dst, right, rows []float32, columns []int32, scales, pulls []float32, d, stride int) {
	for i, column := range columns {
		row, to := rows[int(column)*stride:int(column)*stride+d], dst[i*d:(i+1)*d]
		scale, pull := scales[i], pulls[i]
		for j, v := range row {
			to[j] = scale * v
			right[j] += pull * v
		}
	}
}

func pivotGo(row []float32, scale float32, below []float32, stride int, factors []float32) {
	for j := range row {
		row[j] *= scale
	}
	for i, f := range factors {
		axpyGo(-f, row, below[i*stride:i*stride+len(row)])
	}
}
