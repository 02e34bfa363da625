package predict

import (
	"cmp"
	"math"
	"slices"

	"quintet/internal/learners"
)

// distributions cuts every feature into tenths, or counts its levels.
func distributions(t *learners.Table) []Distribution {
	var out []Distribution
	for i := range t.Columns {
		c := &t.Columns[i]
		d := Distribution{Column: c.Name}
		if c.Categorical() {
			counts := map[string]int{}
			for _, v := range c.Categories {
				if v != "" {
					counts[v]++
				}
			}
			for v := range counts {
				d.Levels = append(d.Levels, v)
			}
			slices.SortFunc(d.Levels, func(a, b string) int {
				return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
			})
			d.Levels = d.Levels[:min(len(d.Levels), 20)]
		} else {
			var values []float64
			for _, v := range c.Numbers {
				if v == v {
					values = append(values, float64(v))
				}
			}
			slices.Sort(values)
			for k := 1; k < 10 && len(values) > 0; k++ {
				e := values[k*len(values)/10]
				if len(d.Edges) == 0 || e > d.Edges[len(d.Edges)-1] {
					d.Edges = append(d.Edges, e)
				}
			}
		}
		d.Shares = d.sharesOf(c)
		out = append(out, d)
	}
	return out
}

func (d *Distribution) sharesOf(c *learners.Column) []float64 {
	if c.Categorical() {
		shares := make([]float64, len(d.Levels)+1)
		at := map[string]int{}
		for i, l := range d.Levels {
			at[l] = i
		}
		for _, v := range c.Categories {
			i, known := at[v]
			if !known {
				i = len(d.Levels)
			}
			shares[i] += 1 / float64(len(c.Categories))
		}
		return shares
	}
	shares := make([]float64, len(d.Edges)+2)
	for _, v := range c.Numbers {
		i := len(d.Edges) + 1
		if v == v {
			i, _ = slices.BinarySearch(d.Edges, float64(v))
		}
		shares[i] += 1 / float64(len(c.Numbers))
	}
	return shares
}

// ages are features that grow with the log as long as it is younger than features look
// back: they would tell of drift in every young installation.
var ages = []string{"daysSinceFirstOrder", "daysSinceFirstEvent"}

// drift compares features with those of training by the population stability index, the
// largest first.
func drift(reference []Distribution, t *learners.Table) []Drift {
	out := []Drift{}
	if t.Rows() == 0 {
		return out
	}
	for i := range reference {
		d := &reference[i]
		if slices.Contains(ages, d.Column) {
			continue
		}
		for k := range t.Columns {
			if t.Columns[k].Name != d.Column || t.Columns[k].Categorical() != (d.Levels != nil || d.Edges == nil && len(d.Shares) == 1) {
				continue
			}
			psi := 0.0
			now := d.sharesOf(&t.Columns[k])
			if len(now) != len(d.Shares) {
				continue
			}
			for b, p := range d.Shares {
				p, q := math.Max(p, 1e-4), math.Max(now[b], 1e-4)
				psi += (q - p) * math.Log(q/p)
			}
			out = append(out, Drift{d.Column, psi})
		}
	}
	slices.SortStableFunc(out, func(a, b Drift) int { return cmp.Compare(b.PSI, a.PSI) })
	return out
}
