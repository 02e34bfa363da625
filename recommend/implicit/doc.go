// Package implicit factors what people did into vectors of people and of items by
// alternating least squares for implicit feedback (Hu, Koren and Volinsky 2008), with
// the regularisation scaled by frequency and the weight of what was not observed that
// make it as good as later methods (Rendle, Krichene, Zhang and Koren, "Revisiting the
// performance of iALS on item recommendation benchmarks", 2021):
//
//	L = Σ_observed w (1 - x·y)² + a Σ_all (x·y)² + Σ_x λ(x) |x|² + Σ_y λ(y) |y|²
//	λ(row) = regularisation × (Σ w of the row + a × rows of the other side)^exponent
//
// The model keeps only the items' side. A person is folded in from their events when
// asked for, in microseconds, as training does it.
package implicit
