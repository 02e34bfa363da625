package assignment

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"quintet/experiments/condition"
)

// someone is a subject of a test.
type someone struct {
	units map[string]string
	ids   []Identifier
	facts condition.Map
	kept  map[string]Kept
}

func (s *someone) Unit(name string) string           { return s.units[name] }
func (s *someone) Attribute(name string) (any, bool) { return s.facts.Attribute(name) }
func (s *someone) Identifier(i int) (string, string, bool) {
	if i < len(s.ids) {
		return s.ids[i].Namespace, s.ids[i].Value, true
	}
	return "", "", false
}
func (s *someone) Kept(experiment, _ string) (Kept, bool) { k, ok := s.kept[experiment]; return k, ok }

func person(id string) *someone { return &someone{units: map[string]string{Person: id}} }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func hashes() *rapid.Generator[Hash] {
	return rapid.SampledFrom([]Hash{XXH64, GrowthBook, GrowthBookUTF16})
}

// weights draws weights that sum to one.
func weights(t *rapid.T) []float64 {
	raw := rapid.SliceOfN(rapid.IntRange(0, 100), 2, 8).Draw(t, "weights")
	raw[0]++ // not all zero
	sum := 0
	for _, w := range raw {
		sum += w
	}
	out := make([]float64, len(raw))
	for i, w := range raw {
		out[i] = float64(w) / float64(sum)
	}
	return out
}

func spec(t *rapid.T) Spec {
	return Spec{Key: "e", Running: true, Hash: hashes().Draw(t, "hash"), Salt: rapid.StringN(1, 20, 64).Draw(t, "salt"),
		Weights: weights(t), Coverage: rapid.Float64Range(0.01, 1).Draw(t, "coverage")}
}

func people(t *rapid.T) []string {
	n, at := 200, rapid.IntRange(0, 1e9).Draw(t, "first person")
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("person-%d", at+i)
	}
	return out
}

// Who is in stays in, with the same variant, when the coverage rises.
func TestRaisingTheCoverageMovesNobody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before := spec(t)
		after := before
		after.Coverage = rapid.Float64Range(before.Coverage, 1).Draw(t, "raised")
		a, b := New(before), New(after)
		for _, p := range people(t) {
			was, is := a.Assign(Bare(p), noon), b.Assign(Bare(p), noon)
			if was.In() && is.Variant != was.Variant {
				t.Fatalf("%s had variant %d and has %d, %s", p, was.Variant, is.Variant, is.Reason)
			}
		}
	})
}

// A ramp is the same over time.
func TestARampMovesNobody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := spec(t)
		coverage := s.Coverage
		for i := range rapid.IntRange(1, 6).Draw(t, "steps") {
			coverage = rapid.Float64Range(coverage, 1).Draw(t, "step")
			s.Steps = append(s.Steps, Step{From: noon.Add(time.Duration(i+1) * time.Hour), Coverage: coverage})
		}
		e := New(s)
		for _, p := range people(t)[:50] {
			was := Result{Variant: -1}
			for minutes := 0; minutes < 8*60; minutes += 17 {
				is := e.Assign(Bare(p), noon.Add(time.Duration(minutes)*time.Minute))
				if was.In() && is.Variant != was.Variant {
					t.Fatalf("%s had variant %d and after %d minutes has %d, %s", p, was.Variant, minutes, is.Variant, is.Reason)
				}
				was = is
			}
		}
	})
}

func TestARampFollowsItsSteps(t *testing.T) {
	t.Parallel()
	e := New(Spec{Running: true, Salt: "s", Weights: []float64{.5, .5}, Coverage: .1, Steps: []Step{{noon, .3}, {noon.Add(time.Hour), 1}}})
	for _, c := range []struct {
		at   time.Duration
		want float64
	}{{-time.Millisecond, .1}, {0, .3}, {time.Hour - 1, .3}, {time.Hour, 1}, {48 * time.Hour, 1}} {
		if got := e.CoverageAt(noon.Add(c.at)); got != c.want {
			t.Errorf("%s after the first step the coverage is %g, want %g", c.at, got, c.want)
		}
		in := 0
		for i := range 20_000 {
			if e.Assign(Bare(fmt.Sprint(i)), noon.Add(c.at)).In() {
				in++
			}
		}
		if z := math.Abs(float64(in)-20_000*c.want) / math.Sqrt(20_000*c.want*(1-c.want)+1); z > 4.5 {
			t.Errorf("%s after the first step %d of 20,000 take part, want %g", c.at, in, 20_000*c.want)
		}
	}
}

// The people of an arm that is dropped leave; nobody else moves.
func TestDroppingAnArmMovesOnlyItsPeople(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before := spec(t)
		dropped := rapid.IntRange(0, len(before.Weights)-1).Draw(t, "dropped")
		after := before
		after.Dropped = make([]bool, dropped+1)
		after.Dropped[dropped] = true
		a, b := New(before), New(after)
		for _, p := range people(t) {
			was, is := a.Assign(Bare(p), noon), b.Assign(Bare(p), noon)
			switch {
			case was.Variant == dropped && (is.In() || is.Reason != Dropped):
				t.Fatalf("%s of the dropped arm got %+v", p, is)
			case was.Variant != dropped && is != was:
				t.Fatalf("%s of another arm had %+v and has %+v", p, was, is)
			}
		}
	})
}

// Nobody is in two experiments that have parts of one layer, nested or not.
func TestLayersShareNobody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		layer := &Layer{Key: "top", Salt: rapid.StringN(1, 20, 64).Draw(t, "salt"), Hash: hashes().Draw(t, "hash")}
		// Cuts make parts that touch and do not overlap; every other one is a nested layer
		// with two parts of its own.
		cuts := rapid.SliceOfNDistinct(rapid.Float64Range(0.001, 0.999), 1, 6, rapid.ID[float64]).Draw(t, "cuts")
		slices.Sort(cuts)
		cuts = append(cuts, 1)
		var all []*Experiment
		add := func(l *Layer, r Range) {
			s := spec(t)
			s.Coverage, s.Places = 1, []Place{{l, []Range{r}}}
			all = append(all, New(s))
		}
		from := 0.0
		for i, to := range cuts {
			if i%2 == 1 {
				nested := &Layer{Key: "nested", Salt: fmt.Sprint("nested", i), Hash: layer.Hash, Parent: layer, Part: Range{from, to}}
				add(nested, Range{0, .5})
				add(nested, Range{.5, 1})
			} else {
				add(layer, Range{from, to})
			}
			from = to
		}
		for _, p := range people(t) {
			in := 0
			for _, e := range all {
				if r := e.Assign(Bare(p), noon); r.In() {
					in++
				} else if r.Reason != "layer:top" && r.Reason != "layer:nested" && r.Reason != OutOfCoverage {
					t.Fatalf("%s is out by %s", p, r.Reason)
				}
			}
			if in > 1 {
				t.Fatalf("%s is in %d experiments of a layer", p, in)
			}
			// The parts fill the layer, so that with XXH64 somebody has everybody.
			if in == 0 && !slices.ContainsFunc(all, func(e *Experiment) bool { return e.Hash != XXH64 }) {
				t.Fatalf("%s is in no part of a layer that is divided up", p)
			}
		}
	})
}

// An experiment may have parts of several layers: it has who is in all of them.
func TestSeveralLayers(t *testing.T) {
	t.Parallel()
	a, b := &Layer{Key: "a", Salt: "layer:a"}, &Layer{Key: "b", Salt: "layer:b"}
	e := New(Spec{Running: true, Salt: "s", Weights: []float64{1, 0}, Coverage: 1,
		Places: []Place{{a, []Range{{0, .2}, {.5, .8}}}, {b, []Range{{.4, 1}}}}})
	in, n := 0, 50_000
	for i := range n {
		p := fmt.Sprint("p", i)
		want := (Bucket("layer:a", p) < .2 || Bucket("layer:a", p) >= .5 && Bucket("layer:a", p) < .8) && Bucket("layer:b", p) >= .4
		got := e.Assign(Bare(p), noon).In()
		if got != want {
			t.Fatalf("%s: in %t, want %t", p, got, want)
		}
		if got {
			in++
		}
	}
	if z := (float64(in) - float64(n)*.3) / math.Sqrt(float64(n)*.3*.7); math.Abs(z) > 4.5 {
		t.Errorf("%d of %d are in half of one layer and 0.6 of another", in, n)
	}
}

// Who is held out, or in the comparison arm, stays there when the share grows, and
// nobody changes sides.
func TestRangesOfHoldoutsAreFixed(t *testing.T) {
	t.Parallel()
	of := func(salt string, share float64) *Holdout {
		return NewHoldout(Holdout{Key: "h", Salt: salt, Held: Range{0, share}, Comparison: Range{1 - share, 1}})
	}
	rapid.Check(t, func(t *rapid.T) {
		salt := rapid.StringN(1, 20, 64).Draw(t, "salt")
		small := rapid.Float64Range(0, .5).Draw(t, "small")
		large := rapid.Float64Range(small, .5).Draw(t, "large")
		a, b := of(salt, small), of(salt, large)
		for _, p := range people(t) {
			if was, is := a.Side(p), b.Side(p); was != Outside && is != was {
				t.Fatalf("%s went from %s to %s when the share rose from %g to %g", p, was, is, small, large)
			}
		}
	})
	h, count := of("universal-holdout", .05), map[Side]int{}
	for i := range 100_000 {
		count[h.Side(fmt.Sprint("u", i))]++
	}
	for _, side := range []Side{Held, Comparison} {
		if z := (float64(count[side]) - 5000) / math.Sqrt(5000*.95); math.Abs(z) > 4.5 {
			t.Errorf("%d of 100,000 are on the side %s of a holdout of 5 %%", count[side], side)
		}
	}
}

// Whoever is forced gets the variant, whatever else holds.
func TestForceWinsOverAll(t *testing.T) {
	t.Parallel()
	nobody, err := condition.Parse([]byte(`{"plan":"none has this"}`))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := spec(t)
		flip := func(name string) bool { return rapid.Bool().Draw(t, name) }
		want := rapid.IntRange(0, len(s.Weights)-1).Draw(t, "variant")
		who := person(rapid.StringN(1, 20, 64).Draw(t, "person"))
		who.ids = []Identifier{{"anonymousId", "a"}, {"userId", "u42"}}
		if flip("by identifier") {
			s.Forced.ByIdentifier = map[Identifier]int{{"userId", "u42"}: want}
		} else {
			s.Forced.ByValue = map[string]int{who.units[Person]: want}
		}
		if flip("audience") {
			s.Audience = nobody
		}
		if flip("layer") {
			s.Places = []Place{{&Layer{Key: "l", Salt: "l"}, nil}}
		}
		if flip("holdout") {
			s.Holdouts = []*Holdout{NewHoldout(Holdout{Key: "h", Salt: "h", Held: Range{0, 1}})}
		}
		if flip("prerequisite") {
			s.Requirements = []Requirement{{Key: "missing"}}
		}
		if flip("over") {
			s.End = noon.Add(-time.Hour)
		}
		if flip("later") {
			s.Start = noon.Add(time.Hour)
		}
		if flip("blocked") {
			s.Blocked.ByIdentifier = map[Identifier]int{{"anonymousId", "a"}: 0}
		}
		if flip("dropped") {
			s.Dropped = make([]bool, len(s.Weights))
			s.Dropped[want] = true
		}
		if flip("kept") {
			s.Sticky, who.kept = true, map[string]Kept{"e": {Variant: (want + 1) % len(s.Weights)}}
		}
		s.Coverage = 1e-9
		e := New(s)
		if got := e.Assign(who, noon); got.Variant != want || got.Reason != ByForce || !e.Forces(who) {
			t.Fatalf("forced into %d, got %+v", want, got)
		}
		s.Running = false
		if got := New(s).Assign(who, noon); got.In() {
			t.Fatalf("an experiment that does not run forced %+v", got)
		}
	})
}

// What is kept stays, whatever happens to weights, coverage, audience and layers.
func TestWhatIsKeptStays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := spec(t)
		s.Sticky, s.BucketVersion = true, 3
		kept := rapid.IntRange(0, len(s.Weights)-1).Draw(t, "kept")
		who := person("p")
		who.kept = map[string]Kept{"e": {Variant: kept, Version: 3}}
		if got := New(s).Assign(who, noon); got.Variant != kept || got.Reason != ByKeeper {
			t.Fatalf("kept %d, got %+v", kept, got)
		}
		fresh := New(s).Assign(person("p"), noon)
		s.BucketVersion = 4
		if got := New(s).Assign(who, noon); got != fresh {
			t.Fatalf("of another bucket version: %+v, want %+v", got, fresh)
		}
		s.MinimumVersion = 4
		if got := New(s).Assign(who, noon); got.In() || got.Reason != BucketVersion {
			t.Fatalf("below the least bucket version: %+v", got)
		}
	})
}

func TestReasons(t *testing.T) {
	t.Parallel()
	paid, err := condition.Parse([]byte(`{"plan":"paid","context.device":{"$in":["mobile"]},"segments":{"$elemMatch":{"$eq":"vip"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	facts := func(plan, device string, segments ...string) *someone {
		p := person("p")
		p.facts = condition.Map{"plan": plan, "context": map[string]any{"device": device}, "segments": segments}
		return p
	}
	first := New(Spec{Key: "first", Running: true, Salt: "first", Weights: []float64{1, 0}, Coverage: 1})
	whole := Range{0, 1}
	for name, c := range map[string]struct {
		spec    Spec
		subject Subject
		want    Reason
	}{
		"in":                      {Spec{}, person("p"), ByHash},
		"no unit":                 {Spec{Unit: "session"}, person("p"), NoUnit},
		"another unit":            {Spec{Unit: "session"}, &someone{units: map[string]string{"session": "s1"}}, ByHash},
		"later":                   {Spec{Start: noon.Add(time.Millisecond)}, person("p"), NotStarted},
		"from now":                {Spec{Start: noon}, person("p"), ByHash},
		"over":                    {Spec{End: noon}, person("p"), Ended},
		"until now":               {Spec{End: noon.Add(time.Millisecond)}, person("p"), ByHash},
		"blocked":                 {Spec{Blocked: Units{ByValue: map[string]int{"p": 0}}}, person("p"), Blocked},
		"somebody else blocked":   {Spec{Blocked: Units{ByValue: map[string]int{"q": 0}}}, person("p"), ByHash},
		"held":                    {Spec{Holdouts: []*Holdout{NewHoldout(Holdout{Key: "team", Salt: "x", Held: whole})}}, person("p"), "holdout:team"},
		"comparison":              {Spec{Holdouts: []*Holdout{NewHoldout(Holdout{Key: "team", Salt: "x", Comparison: whole})}}, person("p"), "comparison:team"},
		"held by person":          {Spec{Unit: "session", Holdouts: []*Holdout{NewHoldout(Holdout{Key: "team", Salt: "x", Held: whole})}}, &someone{units: map[string]string{Person: "p", "session": "s"}}, "holdout:team"},
		"audience":                {Spec{Audience: paid}, facts("paid", "mobile", "new", "vip"), ByHash},
		"another plan":            {Spec{Audience: paid}, facts("free", "mobile", "vip"), OutOfAudience},
		"another device":          {Spec{Audience: paid}, facts("paid", "desktop", "vip"), OutOfAudience},
		"another segment":         {Spec{Audience: paid}, facts("paid", "mobile", "new"), OutOfAudience},
		"nothing known":           {Spec{Audience: paid}, person("p"), OutOfAudience},
		"prerequisite":            {Spec{Requirements: []Requirement{{Key: "first", Experiment: first, Variants: []int{0}}}}, person("p"), ByHash},
		"another variant":         {Spec{Requirements: []Requirement{{Key: "first", Experiment: first, Variants: []int{1}}}}, person("p"), "prerequisite:first"},
		"nothing there":           {Spec{Requirements: []Requirement{{Key: "gone"}}}, person("p"), "prerequisite:gone"},
		"open gate":               {Spec{Requirements: []Requirement{{Key: "flag", Gate: func(Subject, time.Time) bool { return true }}}}, person("p"), ByHash},
		"closed gate":             {Spec{Requirements: []Requirement{{Key: "flag", Gate: func(Subject, time.Time) bool { return false }}}}, person("p"), "prerequisite:flag"},
		"no part of a layer":      {Spec{Places: []Place{{&Layer{Key: "l", Salt: "l"}, nil}}}, person("p"), "layer:l"},
		"outside of a parent":     {Spec{Places: []Place{{&Layer{Key: "l", Salt: "l", Parent: &Layer{Key: "top", Salt: "top"}}, []Range{whole}}}}, person("p"), "layer:l"},
		"out of coverage":         {Spec{Coverage: 1e-9}, person("p"), OutOfCoverage},
		"out of coverage, by FNV": {Spec{Coverage: 1e-9, Hash: GrowthBook}, person("p"), OutOfCoverage},
		"no weight":               {Spec{Weights: []float64{0, 0}}, person("p"), NoVariant},
		"kept and dropped":        {Spec{Sticky: true, Dropped: []bool{true, false}}, &someone{units: map[string]string{Person: "p"}, kept: map[string]Kept{"e": {}}}, Dropped},
	} {
		s := c.spec
		s.Key, s.Salt, s.Running = "e", "e", true
		if s.Weights == nil {
			s.Weights = []float64{.5, .5}
		}
		if s.Coverage == 0 {
			s.Coverage = 1
		}
		e := New(s)
		got := e.Assign(c.subject, noon)
		if got.Reason != c.want || got.In() != (c.want == ByHash) {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
		// A trace comes to the same, and its last step says so.
		traced, steps := e.Trace(c.subject, noon)
		if traced != got || len(steps) == 0 || steps[len(steps)-1].Passed != got.In() {
			t.Errorf("%s: traced %+v by %+v", name, traced, steps)
		}
	}
}

func survival(observed []int, expected float64) float64 {
	var x float64
	for _, n := range observed {
		x += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	return distuv.ChiSquared{K: float64(len(observed) - 1)}.Survival(x)
}

// The people, and so the figures, are always the same.
func TestSharesAreUniform(t *testing.T) {
	t.Parallel()
	const n, cells = 200_000, 100
	for _, hash := range []Hash{XXH64, GrowthBook} {
		bins := make([]int, cells)
		for i := range n {
			bins[int(hash.Bucket("hero-2026", fmt.Sprintf("user-%07d", i))*cells)]++
		}
		if p := survival(bins, n/cells); p < 1e-4 {
			t.Errorf("%s is not uniform, p = %g", hash, p)
		}
	}
	// Where somebody is in a holdout, in a layer, in groups and within the coverage says
	// nothing of their variant.
	e := New(Spec{Running: true, Salt: "hero", Weights: []float64{.25, .25, .25, .25}, Coverage: 1})
	for _, salt := range []string{"universal-holdout", "layer:checkout", "groups:hero", CoverageSalt("hero")} {
		joint := make([]int, 4*5)
		for i := range n {
			p := fmt.Sprintf("user-%07d", i)
			joint[e.Assign(Bare(p), noon).Variant*5+int(Bucket(salt, p)*5)]++
		}
		if p := survival(joint, n/20); p < 1e-4 {
			t.Errorf("variants depend on %s, p = %g", salt, p)
		}
	}
}

func full() (*Experiment, *someone) {
	audience, err := condition.Parse([]byte(`{"plan":"paid","context.device":"mobile"}`))
	if err != nil {
		panic(err)
	}
	top := &Layer{Key: "top", Salt: "layer:top"}
	who := person("01j9z3k7w8v5n4m2x1c0b9a8s7")
	who.facts = condition.Map{"plan": "paid", "context": map[string]any{"device": "mobile"}}
	who.ids = []Identifier{{"userId", "u42"}}
	first := New(Spec{Key: "first", Running: true, Salt: "first", Weights: []float64{1, 0}, Coverage: 1})
	return New(Spec{
		Key: "e", Running: true, Salt: "home-hero-2026", Weights: []float64{.25, .25, .25, .25}, Coverage: .999,
		Audience: audience, Places: []Place{{top, []Range{{0, 1}}}}, Requirements: []Requirement{{Key: "first", Experiment: first, Variants: []int{0}}},
		Holdouts: []*Holdout{NewHoldout(Holdout{Key: "team", Salt: "team", Held: Range{0, 1e-9}})},
		Forced:   Units{ByIdentifier: map[Identifier]int{{"userId", "tester"}: 0}}, Start: noon.Add(-time.Hour), End: noon.Add(time.Hour), Sticky: true,
	}), who
}

func TestAssigningDoesNotAllocate(t *testing.T) {
	plain := New(Spec{Running: true, Salt: "home-hero-2026", Weights: []float64{.25, .25, .25, .25}, Coverage: .99})
	book := New(Spec{Running: true, Salt: "home-hero-2026", Hash: GrowthBook, Weights: []float64{.5, .5}, Coverage: .99})
	all, who := full()
	if r := all.Assign(who, noon); !r.In() {
		t.Fatalf("the subject is out by %s", r.Reason)
	}
	for name, e := range map[string]*Experiment{"plain": plain, "GrowthBook's": book, "with everything": all} {
		if n := testing.AllocsPerRun(1000, func() { _ = e.Assign(who, noon) }); n != 0 {
			t.Errorf("%s: %g allocations", name, n)
		}
	}
}

// BenchmarkAssign prints beside its time the time of one bare XXH64 of the same
// length in the same run, and their ratio.
func BenchmarkAssign(b *testing.B) {
	const id = "01j9z3k7w8v5n4m2x1c0b9a8s7"
	plain := func(coverage float64, h Hash) *Experiment {
		return New(Spec{Running: true, Salt: "home-hero-2026", Hash: h, Weights: []float64{.25, .25, .25, .25}, Coverage: coverage})
	}
	all, who := full()
	for _, c := range []struct {
		name string
		e    *Experiment
	}{
		{"one experiment", plain(1, XXH64)}, {"with coverage", plain(.99, XXH64)}, {"GrowthBook", plain(.99, GrowthBook)}, {"with everything", all},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var bare uint64
			began := time.Now()
			const rounds = 2_000_000
			text := "home-hero-2026\x00" + id
			for range rounds {
				bare += xxhash.Sum64String(text)
			}
			hash := float64(time.Since(began).Nanoseconds()) / rounds
			if bare == 0 {
				b.Fatal("nothing was hashed")
			}
			var subject Subject = Bare(id)
			if c.e == all {
				subject = who
			}
			b.ResetTimer()
			for b.Loop() {
				_ = c.e.Assign(subject, noon)
			}
			per := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			b.ReportMetric(hash, "ns/xxhash")
			b.ReportMetric(per/hash, "x-xxhash")
		})
	}
}
