package implicit

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"quintet/recommend/vector"
)

// chunk is how many rows are gathered before their outer products are summed: with 64
// factors they fit into the second cache.
const chunk = 256

// side is one side of the factorisation while the other is solved for.
type side struct {
	factors int // padded
	rows    []float32
	count   int
	gram    []float32 // Σ of outer products times the weight of the unobserved, in full
	// diagonal says that gram has nothing beside its diagonal.
	diagonal bool
}

// row gives the vector of a number.
func (s *side) row(n int32) []float32 { return row(s.rows, s.factors, n) }

func row(rows []float32, factors int, n int32) []float32 {
	at := int(n) * factors
	return rows[at : at+factors : at+factors]
}

// solver has the memory to solve for one row at a time. It is for one goroutine.
type solver struct {
	factors, block int // padded
	system         []float32
	gathered       []float32
	scales, pulls  [chunk]float32
	right, work    []float32
	predicted      []float32
	slope          []float32
	inverse        []float32 // of the diagonal, and what it makes of the gathered rows
	shrunk         []float32
	failed         int // systems that float32 could not factor
}

func newSolver(factors, block int) *solver {
	if block == 0 || block > factors {
		block = factors
	}
	return &solver{
		factors: factors, block: block,
		system:   make([]float32, block*block),
		gathered: make([]float32, chunk*block),
		right:    make([]float32, block), work: make([]float32, block),
		slope: make([]float32, factors), inverse: make([]float32, factors),
		shrunk: make([]float32, min(chunk, factors/2)*factors),
	}
}

// solve writes to x the vector of a row with entries at columns of the other side,
// held by regularisation. With blocks it improves what x is, otherwise it forgets it.
// A diagonal gram makes rows with few entries cheap.
func (s *solver) solve(rows, gram []float32, diagonal bool, columns []int32, weights []float32, regularisation float32, x []float32) {
	if len(columns) == 0 {
		clear(x)
		return
	}
	if diagonal && len(columns) <= s.factors/2 && len(columns) <= chunk && s.few(rows, gram, columns, weights, regularisation, x) {
		return
	}
	if s.block == s.factors {
		s.full(rows, gram, columns, weights, regularisation, x)
		return
	}
	s.blocks(rows, gram, columns, weights, regularisation, x)
}

// full solves (a G + Σ w y yᵀ + λ I) x = Σ w y.
func (s *solver) full(rows, gram []float32, columns []int32, weights []float32, regularisation float32, x []float32) {
	d := s.factors
	copy(s.system, gram)
	clear(s.right)
	for from := 0; from < len(columns); from += chunk {
		n := min(chunk, len(columns)-from)
		for i, w := range weights[from : from+n] {
			s.scales[i], s.pulls[i] = root(w), w
		}
		vector.Gather(s.gathered, s.right, rows, columns[from:from+n], s.scales[:n], s.pulls[:n], d, d)
		vector.AddGram(s.system, d, d, 1, s.gathered, d, 0, n)
	}
	for i := range d {
		s.system[i*d+i] += regularisation
	}
	if !vector.Cholesky(s.system, d) {
		s.again(rows, gram, columns, weights, regularisation, x)
		return
	}
	vector.Solve(s.system, d, s.right, s.work)
	copy(x, s.right)
}

// few solves for a row with n entries, fewer than half of the factors, by a system of n
// instead of one of all factors. With D = a G + λ I a diagonal and H the rows √w yᵀ,
//
//	(D + HᵀH)⁻¹ Hᵀ √w = D⁻¹ Hᵀ (I + H D⁻¹ Hᵀ)⁻¹ √w
//
// (the identity of Woodbury). It reports whether float32 was enough.
func (s *solver) few(rows, gram []float32, columns []int32, weights []float32, regularisation float32, x []float32) bool {
	d, n := s.factors, len(columns)
	p := vector.Pad(n)
	for i := range d {
		s.inverse[i] = 1 / (gram[i*d+i] + regularisation)
	}
	for i, w := range weights {
		s.scales[i] = root(w)
	}
	vector.Gather(s.gathered, s.right, rows, columns, s.scales[:n], s.scales[:n], d, d)
	system := s.system[:p*p]
	clear(system)
	for i := range n {
		h, b := s.gathered[i*d:(i+1)*d], s.shrunk[i*d:(i+1)*d]
		for j, v := range s.inverse {
			b[j] = h[j] * v
		}
		vector.DotRows(b, s.gathered, system[i*p:i*p+n])
	}
	z := s.pulls[:p]
	for i := range p {
		system[i*p+i]++
		z[i] = 0
		if i < n {
			z[i] = s.scales[i]
		}
	}
	if !vector.Cholesky(system, p) {
		return false
	}
	vector.Solve(system, p, z, s.work)
	clear(x)
	for i := range n {
		vector.Axpy(z[i], s.shrunk[i*d:(i+1)*d], x)
	}
	return true
}

func root(w float32) float32 {
	if w == 1 {
		return 1
	}
	return float32(math.Sqrt(float64(w)))
}

// again solves in float64 what float32 could not factor: with hardly any
// regularisation the system is singular to seven digits. Where that fails too, nothing
// is known of the row.
func (s *solver) again(rows, gram []float32, columns []int32, weights []float32, regularisation float32, x []float32) {
	s.failed++
	d := s.factors
	system, right := mat.NewSymDense(d, nil), mat.NewVecDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			v := float64(gram[i*d+j])
			if i == j {
				// A trace of the diagonal, so that what is singular to double precision
				// stays in bounds.
				v += float64(regularisation) + 1e-7*math.Abs(v)
			}
			system.SetSym(i, j, v)
		}
	}
	wide := mat.NewVecDense(d, nil)
	for e, column := range columns {
		for i, v := range row(rows, d, column) {
			wide.SetVec(i, float64(v))
		}
		system.SymRankOne(system, float64(weights[e]), wide)
		right.AddScaledVec(right, float64(weights[e]), wide)
	}
	var factored mat.Cholesky
	clear(x)
	if !factored.Factorize(system) {
		return
	}
	if factored.SolveVecTo(right, right) != nil {
		return
	}
	for i := range d {
		if v := float32(right.AtVec(i)); !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) {
			x[i] = v
		}
	}
}

// blocks takes one Newton step for each block of factors, exact for the block as the
// loss is a square (iALS++, Rendle et al. 2021).
func (s *solver) blocks(rows, gram []float32, columns []int32, weights []float32, regularisation float32, x []float32) {
	d := s.factors
	s.predicted = s.predicted[:0]
	for _, column := range columns {
		s.predicted = append(s.predicted, vector.Dot(x, row(rows, d, column)))
	}
	vector.DotRows(x, gram, s.slope)
	for at := 0; at < d; at += s.block {
		b := min(s.block, d-at)
		right := s.right[:b]
		for i := range b {
			right[i] = -s.slope[at+i] - regularisation*x[at+i]
			copy(s.system[i*b:(i+1)*b], gram[(at+i)*d+at:])
			s.system[i*b+i] += regularisation
		}
		for from := 0; from < len(columns); from += chunk {
			n := min(chunk, len(columns)-from)
			for i, w := range weights[from : from+n] {
				s.scales[i], s.pulls[i] = root(w), w*(1-s.predicted[from+i])
			}
			vector.Gather(s.gathered, right, rows[at:], columns[from:from+n], s.scales[:n], s.pulls[:n], b, d)
			vector.AddGram(s.system, b, b, 1, s.gathered, b, 0, n)
		}
		if !vector.Cholesky(s.system, b) {
			s.failed++
			continue // the block stays as it is
		}
		vector.Solve(s.system, b, right, s.work)
		for i := range b {
			x[at+i] += right[i]
			vector.Axpy(right[i], gram[(at+i)*d:(at+i)*d+d], s.slope)
		}
		if at+s.block < d {
			for e, column := range columns {
				s.predicted[e] += vector.Dot(right, row(rows, d, column)[at:at+b])
			}
		}
	}
}
