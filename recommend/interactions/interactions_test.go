package interactions_test

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"quintet/recommend/interactions"
)

func TestBuilderRefusesWhatIsNoInteraction(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		person, item string
		weight       float64
		at           int64
		ok           bool
	}{
		{"good", "a", "x", 1, 0, true},
		{"no person", "", "x", 1, 0, false},
		{"no item", "a", "", 1, 0, false},
		{"weight 0", "a", "x", 0, 0, false},
		{"negative weight", "a", "x", -1, 0, false},
		{"NaN", "a", "x", math.NaN(), 0, false},
		{"infinite", "a", "x", math.Inf(1), 0, false},
		{"infinite in float32", "a", "x", 1e39, 0, false},
		{"nothing in float32", "a", "x", 1e-60, 0, false},
		{"year 20000", "a", "x", 1, 1 << 39, false},
	} {
		var b interactions.Builder
		err := b.Add(tt.person, tt.item, tt.weight, tt.at)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if l := b.Build(); !tt.ok && (l.Len() != 0 || l.People().Len() != 0 || l.Items().Len() != 0) {
			t.Errorf("%s: what is refused leaves something", tt.name)
		}
	}
}

func TestLogKeepsTheLatestOfWhoHasTooMuch(t *testing.T) {
	t.Parallel()
	var b interactions.Builder
	for i := range 100_000 {
		// Backwards, so that the log must sort.
		if err := b.Add("robot", strconv.Itoa(i%7), 1, int64(100_000-i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Add("person", "3", 1, 5); err != nil {
		t.Fatal(err)
	}
	l := b.Build()
	robot, person := l.Events(0), l.Events(1)
	if len(robot) != interactions.MaxPersonEvents || len(person) != 1 || l.Dropped() != 100_000-interactions.MaxPersonEvents {
		t.Fatalf("%d and %d events are kept, %d dropped", len(robot), len(person), l.Dropped())
	}
	if robot[0].At != 90_001 || robot[len(robot)-1].At != 100_000 {
		t.Errorf("the robot's events are of %d to %d, want the latest", robot[0].At, robot[len(robot)-1].At)
	}
}

func TestWeighting(t *testing.T) {
	t.Parallel()
	var b interactions.Builder
	for _, e := range []struct {
		item   string
		weight float64
		at     int64
	}{{"x", 1, 0}, {"x", 3, 100}, {"y", 5, 200}, {"z", 0.25, 300}} {
		if err := b.Add("a", e.item, e.weight, e.at); err != nil {
			t.Fatal(err)
		}
	}
	l := b.Build()
	for _, tt := range []struct {
		name string
		w    interactions.Weighting
		want []float32 // x, y, z
	}{
		{"sums", interactions.Weighting{}, []float32{4, 5, .25}},
		{"binary", interactions.Weighting{Binary: true}, []float32{1, 1, 1}},
		{"half-life", interactions.Weighting{HalfLife: 100, Now: 200}, []float32{.25 + 1.5, 5, .25}},
		{"logarithm", interactions.Weighting{Logarithm: true, MinWeight: 1}, []float32{float32(math.Log2(5)), float32(math.Log2(6)), 0}},
		{"cap", interactions.Weighting{Cap: 4.5}, []float32{4, 4.5, .25}},
		{"latest two", interactions.Weighting{Latest: 2}, []float32{0, 5, .25}},
		{"minimum", interactions.Weighting{MinWeight: 3}, []float32{3, 5, 0}},
	} {
		m, err := l.Matrix(tt.w)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, 3)
		columns, weights := m.Row(0)
		for i, c := range columns {
			got[c] = weights[i]
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	for _, bad := range []interactions.Weighting{{HalfLife: -1}, {HalfLife: math.NaN()}, {Cap: math.Inf(1)}, {Latest: -1}} {
		if _, err := l.Matrix(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// What a person's history comes to is what the matrix has of them, and turning the
// matrix twice gives it back.
func TestMatrixProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var b interactions.Builder
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			person, item := strconv.Itoa(rapid.IntRange(0, 5).Draw(t, "person")), strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "item"))
			if err := b.Add(person, item, rapid.Float64Range(.1, 9).Draw(t, "weight"), int64(rapid.IntRange(0, 99).Draw(t, "at"))); err != nil {
				t.Fatal(err)
			}
		}
		w := interactions.Weighting{HalfLife: rapid.SampledFrom([]float64{0, 20}).Draw(t, "half-life"), Now: 100, Logarithm: rapid.Bool().Draw(t, "logarithm"), Latest: rapid.SampledFrom([]int{0, 3}).Draw(t, "latest")}
		l := b.Build()
		m, err := l.Matrix(w)
		if err != nil {
			t.Fatal(err)
		}
		for p := range m.Rows() {
			columns, weights := m.Row(p)
			entries := w.Entries(l.Events(p), m.Columns)
			if len(entries) != len(columns) {
				t.Fatalf("person %d: %d entries, the matrix has %d", p, len(entries), len(columns))
			}
			for i, e := range entries {
				if e.Item != columns[i] || e.Weight != weights[i] {
					t.Fatalf("person %d: %+v, the matrix has %d: %v", p, e, columns[i], weights[i])
				}
			}
		}
		back := m.Transpose().Transpose()
		if !slices.Equal(back.Start, m.Start) || !slices.Equal(back.Index, m.Index) || !slices.Equal(back.Value, m.Value) {
			t.Fatal("the transpose of the transpose is another matrix")
		}
	})
}

func TestBuildTogetherAndSortItems(t *testing.T) {
	t.Parallel()
	var a, b interactions.Builder
	for _, e := range []struct {
		to           *interactions.Builder
		person, item string
	}{{&a, "p", "x"}, {&a, "q", "y"}, {&b, "q", "z"}, {&b, "r", "x"}} {
		if err := e.to.Add(e.person, e.item, 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	a.SortItems(func(x, y string) int { return strings.Compare(y, x) })
	logs, err := interactions.BuildTogether(&a, &b)
	if err != nil {
		t.Fatal(err)
	}
	if logs[0].Items() != logs[1].Items() || !slices.Equal(logs[0].Items().IDs(), []string{"y", "x", "z"}) {
		t.Errorf("items are %v", logs[0].Items().IDs())
	}
	if got := logs[1].Events(1); len(got) != 1 || logs[1].Items().ID(got[0].Item) != "z" {
		t.Errorf("q has %v in the second part, want z", got)
	}
	if got := logs[0].Events(0); len(got) != 1 || logs[0].Items().ID(got[0].Item) != "x" {
		t.Errorf("p has %v in the first part, want x", got)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	columns := interactions.Columns{Person: "who", Item: "what", Weight: "w", Time: "when"}
	for _, tt := range []struct {
		name, text string
		format     interactions.Format
		events     int
		problem    string
	}{
		{"good", "what,who,when,w\nx,a,2026-11-22,2\ny,\"b, c\",1700000000,1\n", interactions.Format{Columns: columns}, 2, ""},
		{"byte order mark", "\ufeffwho,what,w,when\na,x,1,2026-11-22T10:00:00Z\n", interactions.Format{Columns: columns}, 1, ""},
		{"MovieLens", "1\t2\t5\t881250949\n1\t3\t4\t881250950\n", interactions.MovieLens(), 2, ""},
		{"no such column", "a,b\n1,2\n", interactions.Format{Columns: columns}, 0, `no column "who"`},
		{"weight is text", "who,what,w,when\na,x,much,5\n", interactions.Format{Columns: columns}, 0, "line 2"},
		{"weight is NaN", "who,what,w,when\na,x,NaN,5\n", interactions.Format{Columns: columns}, 0, "positive"},
		{"time is text", "who,what,w,when\na,x,1,yesterday\n", interactions.Format{Columns: columns}, 0, "yesterday"},
		{"short row", "who,what,w,when\na,x\n", interactions.Format{Columns: columns}, 0, "is missing"},
		{"an endless line", "who,what,w,when\n" + strings.Repeat("a", 3<<20), interactions.Format{Columns: columns}, 0, "more than"},
		{"empty", "", interactions.Format{Columns: columns}, 0, "header"},
	} {
		var b interactions.Builder
		n, err := interactions.Read(strings.NewReader(tt.text), tt.format, &b, nil)
		switch {
		case tt.problem == "" && (err != nil || n != tt.events || b.Len() != n):
			t.Errorf("%s: %d events, %v", tt.name, n, err)
		case tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.problem)
		}
	}
	var b interactions.Builder
	var lines []int
	if _, err := interactions.Read(strings.NewReader("who,what,w,when\na,x,1,5\na,x,-1,5\na,y,1,6\n"), interactions.Format{Columns: columns}, &b, func(line int, _ error) { lines = append(lines, line) }); err != nil {
		t.Fatal(err)
	}
	if b.Len() != 2 || !slices.Equal(lines, []int{3}) {
		t.Errorf("%d events are added and lines %v rejected, want 2 and line 3", b.Len(), lines)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("person,item,w,t\na,x,1,5\n", true)
	f.Add("1\t2\t5\t881250949\n", false)
	f.Add("\"", true)
	f.Add("person,item,w,t\n\"", true)
	f.Fuzz(func(t *testing.T, text string, header bool) {
		format := interactions.MovieLens()
		if header {
			format = interactions.Format{Columns: interactions.Columns{Person: "person", Item: "item", Weight: "w", Time: "t"}}
		}
		var b interactions.Builder
		n, _ := interactions.Read(strings.NewReader(text), format, &b, func(int, error) {})
		if l := b.Build(); l.Len() != n {
			t.Fatalf("%d events are added, the log has %d", n, l.Len())
		}
	})
}
