package index_test

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"quintet/recommend/index"
	"quintet/recommend/scoring"
)

// clustered are vectors around centres, of very different lengths: what a graph index
// without care for its edges finds a tenth of.
func clustered(rng *rand.Rand, n, d, centres int) []float32 {
	middle := make([]float64, centres*d)
	for i := range middle {
		middle[i] = rng.NormFloat64()
	}
	out := make([]float32, n*d)
	for r := range n {
		c, length := rng.IntN(centres), math.Exp(rng.NormFloat64()/2)
		for i := range d {
			out[r*d+i] = float32(length * (middle[c*d+i] + rng.NormFloat64()/2))
		}
	}
	return out
}

func padded(q []float32, width int) []float32 {
	return append(slices.Clone(q), make([]float32, width-len(q))...)
}

// slow is the k best in float64, by sorting everything.
func slow(factors []float32, d int, q []float32, allowed scoring.Set, k int) []int32 {
	type scored struct {
		item  int32
		score float64
	}
	var all []scored
	for item := range int32(len(factors) / d) {
		sum, square := 0.0, 0.0
		for i := range d {
			v := float64(factors[int(item)*d+i])
			sum, square = sum+v*float64(q[i]), square+v*v
		}
		if square > 0 && (allowed == nil || allowed.Has(item)) {
			all = append(all, scored{item, sum})
		}
	}
	slices.SortFunc(all, func(a, b scored) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.item, b.item)) })
	var out []int32
	for _, s := range all[:min(k, len(all))] {
		out = append(out, s.item)
	}
	return out
}

func numbers(list []scoring.Scored) (out []int32) {
	for _, s := range list {
		out = append(out, s.Item)
	}
	return out
}

func TestScanFindsTheBest(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 7, 255, 256, 257, 3000} {
		const d = 20
		factors := clustered(rng, n, d, 5)
		if n > 100 {
			clear(factors[17*d : 18*d]) // nothing is known of 17
		}
		s, err := index.NewScan(factors, n, d)
		if err != nil {
			t.Fatal(err)
		}
		allowed := scoring.NewSet(n)
		for i := range n {
			if i%3 != 0 {
				allowed.Add(int32(i))
			}
		}
		for range 20 {
			q := clustered(rng, 1, d, 1)
			for _, set := range []scoring.Set{nil, allowed} {
				for _, k := range []int{1, 10, n + 5} {
					got, want := numbers(s.Search(padded(q, s.Width()), set, k, nil)), slow(factors, d, q, set, k)
					if !slices.Equal(got, want) {
						t.Fatalf("n=%d k=%d: %v, want %v", n, k, got[:min(10, len(got))], want[:min(10, len(want))])
					}
				}
			}
		}
	}
}

func TestScanOfWhatIsNotUsable(t *testing.T) {
	t.Parallel()
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32} {
		if _, err := index.NewScan([]float32{1, 2, bad, 4}, 2, 2); err == nil {
			t.Errorf("rows with %v are indexed", bad)
		}
	}
	if _, err := index.NewScan([]float32{1, 2, 3}, 2, 2); err == nil {
		t.Error("three numbers are two rows of two")
	}
	empty, err := index.NewScan(nil, 0, 8)
	if err != nil {
		t.Fatal(err)
	}
	s, err := index.NewScan([]float32{1, 1, 1, 1}, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	q := padded([]float32{1}, s.Width())
	if got := empty.Search(q, nil, 3, nil); len(got) != 0 {
		t.Errorf("an empty index finds %v", got)
	}
	if got := numbers(s.Search(q, nil, 3, nil)); !slices.Equal(got, []int32{0, 1, 2}) {
		t.Errorf("of equal rows %v are the best, want the first three", got)
	}
	for _, bad := range []float32{0, float32(math.NaN()), float32(math.Inf(-1))} {
		if got := s.Search(padded([]float32{bad}, s.Width()), nil, 3, nil); len(got) != 0 {
			t.Errorf("a query of %v finds %v", bad, got)
		}
	}
	if got := s.Search(q, scoring.NewSet(4), 3, nil); len(got) != 0 {
		t.Errorf("of nothing that is allowed, %v is found", got)
	}
}

// The recall of the approximate index is asserted against the exact scan on queries
// that it was not tuned on. QUINTET_TEST_FULL=1 does it with 200,000 rows.
func TestListsRecall(t *testing.T) {
	t.Parallel()
	n := 20_000
	if os.Getenv("QUINTET_TEST_FULL") != "" {
		n = 200_000
	} else if testing.Short() {
		n = 5_000
	}
	const d = 64
	rng := rand.New(rand.NewPCG(3, 4))
	s, err := index.NewScan(clustered(rng, n, d, 50), n, d)
	if err != nil {
		t.Fatal(err)
	}
	tuning := clustered(rng, 100, d, 100)
	l, err := index.NewLists(t.Context(), s, index.ListsSettings{Queries: tuning, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	even := scoring.NewSet(n)
	for i := 0; i < n; i += 2 {
		even.Add(int32(i))
	}
	few := scoring.NewSet(n)
	for i := 0; i < n; i += n / 40 {
		few.Add(int32(i))
	}
	for name, set := range map[string]scoring.Set{"all": nil, "half": even, "forty": few} {
		found, all := 0, 0
		for range 200 {
			q := clustered(rng, 1, d, 1)
			got := numbers(l.Search(q, set, 10, nil))
			want := numbers(s.Search(q, set, 10, nil))
			if len(got) != len(want) {
				t.Fatalf("%s: %d found, want %d", name, len(got), len(want))
			}
			for _, w := range want {
				all++
				if slices.Contains(got, w) {
					found++
				}
			}
		}
		probed, lists := l.Probe()
		recall := float64(found) / float64(all)
		t.Logf("%s: recall@10 %.3f with %d of %d lists (%.3f when built)", name, recall, probed, lists, l.Recall())
		if recall < .95 {
			t.Errorf("%s: recall@10 is %.3f, want at least 0.95", name, recall)
		}
	}
	if probed, lists := l.Probe(); probed > lists/2 {
		t.Errorf("%d of %d lists are looked into", probed, lists)
	}
}

func TestListsSayWhenTheyDoNotPay(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	s, err := index.NewScan(clustered(rng, 400, 64, 400), 400, 64)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := index.NewLists(t.Context(), s, index.ListsSettings{Recall: 1}); err != nil && !errors.Is(err, index.ErrRecall) {
		t.Errorf("400 vectors without structure: %v", err)
	}
	if _, err := index.NewLists(t.Context(), s, index.ListsSettings{Lists: 500}); err == nil {
		t.Error("there are more lists than rows")
	}
}

// The worst case of a scan: rows of one length, so that nothing is spared.
func BenchmarkScan(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 8))
	const n, d = 100_000, 64
	for _, form := range []string{"one length", "lengths of a catalogue"} {
		factors := make([]float32, n*d)
		for r := range n {
			square := 0.0
			for i := range d {
				v := rng.NormFloat64()
				factors[r*d+i] = float32(v)
				square += v * v
			}
			scale := 1 / math.Sqrt(square)
			if form != "one length" {
				scale *= math.Exp(rng.NormFloat64() / 2)
			}
			for i := range d {
				factors[r*d+i] *= float32(scale)
			}
		}
		s, err := index.NewScan(factors, n, d)
		if err != nil {
			b.Fatal(err)
		}
		var list []scoring.Scored
		b.Run(form, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				list = s.Search(s.Row(int32(i%n)), nil, 20, list[:0])
			}
		})
	}
}
