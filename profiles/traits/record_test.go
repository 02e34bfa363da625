package traits

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// told is one message of a test.
type told struct {
	at     Moment
	origin *Origin
	values map[string]any
}

func learnAll(messages []told, rules *Rules) Record {
	var r Record
	for _, m := range messages {
		values := map[string]any{}
		for n, v := range m.values {
			values[n] = v
		}
		r.Learn(values, m.at, m.origin, rules)
	}
	return r
}

func drawRules(t *rapid.T) *Rules {
	declarations := map[string]Declaration{}
	for _, name := range []string{"a", "b", "c", "d"} {
		switch rapid.IntRange(0, 5).Draw(t, "rule of "+name) {
		case 1:
			declarations[name] = Declaration{Type: Number, Survivorship: Recent}
		case 2:
			declarations[name] = Declaration{Type: Text, Survivorship: Trusted, Sources: []string{"s3", "s1", "user"}}
		case 3:
			declarations[name] = Declaration{Type: Text, Survivorship: Complete}
		case 4:
			low := 0.2
			declarations[name] = Declaration{Type: Text, Survivorship: Confidence, DefaultConfidence: &low}
		case 5:
			declarations[name] = Declaration{Type: Text, Survivorship: Recent, Allowed: []any{"x", "42", "true"}}
		}
	}
	for name, d := range declarations {
		if err := ValidateDeclaration(context.Background(), name, &d); err != nil {
			t.Fatal(err)
		}
	}
	return Compile(declarations, nil)
}

var drawMessage = rapid.Custom(func(t *rapid.T) told {
	m := told{
		at:     At(rapid.Int64Range(1, 6).Draw(t, "time"), uint32(rapid.IntRange(0, 2).Draw(t, "index"))),
		origin: &Origin{rapid.SampledFrom([]string{"s1", "s2", "s3", "s4", "s5", "s6", "s7", "user:u"}).Draw(t, "source"), rapid.SampledFrom([]int16{Unsaid, 0, 900}).Draw(t, "confidence")},
		values: map[string]any{},
	}
	for _, n := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 4, rapid.ID).Draw(t, "names") {
		m.values[n] = rapid.SampledFrom([]any{1.0, 42.0, "42", "x", "a longer text", nil, true, "true", []any{1.0}, map[string]any{"k": "v"}}).Draw(t, n)
	}
	return m
})

// Whatever the order of arrival, the golden record, its lineage and what is kept
// are the same, and so they are when some of it was merged of several profiles.
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		messages := rapid.SliceOfN(drawMessage, 1, 14).Draw(t, "messages")
		one := learnAll(messages, rules)
		shuffled := rapid.Permutation(messages).Draw(t, "permutation")
		other := learnAll(shuffled, rules)
		if !reflect.DeepEqual(one.Golden(), other.Golden()) {
			t.Fatalf("golden record %v, in another order %v", one.Golden(), other.Golden())
		}
		if a, b := one.Lineage(rules), other.Lineage(rules); !reflect.DeepEqual(a, b) {
			t.Fatalf("lineage\n%v, in another order\n%v", a, b)
		}
		cut := rapid.IntRange(0, len(messages)).Draw(t, "cut")
		merged := Combine([]Record{learnAll(shuffled[:cut], rules), learnAll(shuffled[cut:], rules)}, rules)
		if a, b := one.Lineage(rules), merged.Lineage(rules); !reflect.DeepEqual(a, b) {
			t.Fatalf("lineage\n%v, of two profiles\n%v", a, b)
		}
		if !reflect.DeepEqual(emptied(one.Golden()), emptied(merged.Golden())) {
			t.Fatalf("golden record %v, of two profiles %v", one.Golden(), merged.Golden())
		}
	})
}

func emptied(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// The golden record is what a plain reading of the rules gives.
func TestGoldenRecordAgainstAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		messages := rapid.SliceOfN(drawMessage, 0, 14).Draw(t, "messages")
		r := learnAll(messages, rules)
		want := model(messages, rules)
		if !reflect.DeepEqual(emptied(r.Golden()), want) {
			t.Fatalf("golden record %v, want %v", r.Golden(), want)
		}
	})
}

// model computes the golden record anew: all messages, one trait at a time.
func model(messages []told, rules *Rules) map[string]any {
	golden := map[string]any{}
	for _, name := range []string{"a", "b", "c", "d"} {
		d, declared := rules.Declaration(name)
		newest := map[string]Fact{}
		for _, m := range messages {
			v, told := m.values[name]
			if !told {
				continue
			}
			if declared && v != nil {
				var fits bool
				if v, fits = coerce(v, d.Type); !fits || len(d.Allowed) > 0 && v != "x" && v != "42" && v != "true" {
					continue
				}
			}
			f := Fact{name, v, m.at, m.origin}
			if old, has := newest[m.origin.Source]; !has || order(f) > order(old) {
				newest[m.origin.Source] = f
			}
		}
		rank := func(f Fact) int {
			for i, s := range d.Sources {
				if s == f.Origin.Source || s == "user" && f.Origin.Source == "user:u" {
					return i
				}
			}
			return 9
		}
		for len(newest) > MaxKept {
			worst := ""
			for s, f := range newest {
				w, has := newest[worst]
				if !has || rank(f) > rank(w) || rank(f) == rank(w) && order(f) < order(w) {
					worst = s
				}
			}
			delete(newest, worst)
		}
		score := func(f Fact) string {
			main := 0
			switch d.Survivorship {
			case Trusted:
				main = 100 - rank(f)
			case Complete:
				if s, text := f.Value.(string); text {
					main = len(s)
				}
			case Confidence:
				main = int(f.Origin.Confidence)
				if main == Unsaid {
					main = 200
				}
			}
			if f.Value == nil {
				main = -1
			}
			if d.Survivorship == Recent || !declared {
				main = 0
			}
			return fmt.Sprintf("%06d %s", main+10, order(f))
		}
		var best *Fact
		for _, f := range newest {
			if best == nil || score(f) > score(*best) {
				best = &f
			}
		}
		if best != nil {
			golden[name] = best.Value
		}
	}
	return golden
}

// order is the order of two facts as a text.
func order(f Fact) string {
	text, _ := json.Marshal(f.Value)
	return fmt.Sprintf("%012d %06d %-10s %s", f.At, int(f.Origin.Confidence)+1, f.Origin.Source, text)
}

// A record that was taken apart and put together is the same.
func TestRestore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		r := learnAll(rapid.SliceOfN(drawMessage, 1, 10).Draw(t, "messages"), rules)
		at, origin := r.Shared()
		again := Restore(r.Golden(), at, origin, append([]Fact(nil), r.Listed()...))
		if again.Rechoose(rules) {
			t.Fatal("choosing again changed the golden record")
		}
		if a, b := r.Lineage(rules), again.Lineage(rules); !reflect.DeepEqual(a, b) {
			t.Fatalf("lineage\n%v, restored\n%v", a, b)
		}
		more := drawMessage.Draw(t, "more")
		r.Learn(more.values, more.at, more.origin, rules)
		again.Learn(more.values, more.at, more.origin, rules)
		if !reflect.DeepEqual(r.Golden(), again.Golden()) {
			t.Fatalf("%v, restored %v", r.Golden(), again.Golden())
		}
	})
}

// As long as no more sources speak than are kept, a changed rule gives what it
// would have given from the beginning, as far as types stay the same.
func TestRechooseIsAsIfTheRuleHadAlwaysBeen(t *testing.T) {
	t.Parallel()
	with := func(s Survivorship) *Rules {
		d := Declaration{Type: Text, Survivorship: s}
		if s == Trusted {
			d.Sources = []string{"s2", "s3"}
		}
		return Compile(map[string]Declaration{"a": d, "b": d}, nil)
	}
	rapid.Check(t, func(t *rapid.T) {
		messages := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) told {
			m := drawMessage.Draw(t, "message")
			m.origin = &Origin{rapid.SampledFrom([]string{"s1", "s2", "s3", "s4", "user:u"}).Draw(t, "source"), m.origin.Confidence}
			return m
		}), 1, 12).Draw(t, "messages")
		all := []Survivorship{Recent, Trusted, Complete, Confidence}
		from, to := rapid.SampledFrom(all).Draw(t, "from"), rapid.SampledFrom(all).Draw(t, "to")
		r := learnAll(messages, with(from))
		r.Rechoose(with(to))
		want := learnAll(messages, with(to))
		if !reflect.DeepEqual(r.Golden(), want.Golden()) {
			t.Fatalf("from %s to %s: %v, want %v", from, to, r.Golden(), want.Golden())
		}
	})
}

func TestRejectedValueIsKeptBesideTheGoldenRecord(t *testing.T) {
	t.Parallel()
	rules := Compile(map[string]Declaration{"age": {Type: Number, Survivorship: Recent}}, nil)
	var r Record
	shop := &Origin{"shop", Unsaid}
	if out := r.Learn(map[string]any{"age": "42"}, At(1, 0), shop, rules); !out.Changed || r.Golden()["age"] != 42.0 {
		t.Fatalf("%v from %+v", r.Golden(), out)
	}
	out := r.Learn(map[string]any{"age": "forty"}, At(2, 0), shop, rules)
	if out.Changed || !out.Stored || len(out.Rejected) != 1 || r.Golden()["age"] != 42.0 {
		t.Fatalf("%v from %+v", r.Golden(), out)
	}
	lineage := r.Lineage(rules)
	if len(lineage) != 2 || !lineage[0].Chosen || lineage[1].Rejected != "must be of the type number" || lineage[1].Value != "forty" {
		t.Fatalf("lineage %+v", lineage)
	}
	// With the declaration gone, the later value counts; with it back, the number.
	if !r.Rechoose(nil) || r.Golden()["age"] != "forty" {
		t.Fatalf("undeclared: %v", r.Golden())
	}
}

func TestRecordIsBounded(t *testing.T) {
	t.Parallel()
	var r Record
	shop := &Origin{"shop", Unsaid}
	refused := uint64(0)
	for i := range int64(400) {
		refused += r.Learn(map[string]any{fmt.Sprintf("t%d", i): 1.0}, At(i+1, 0), shop, nil).Refused
	}
	if len(r.Golden()) != MaxTraits || refused != 100 {
		t.Errorf("%d traits, %d refused", len(r.Golden()), refused)
	}
	for i := range int64(20) {
		r.Learn(map[string]any{"t1": fmt.Sprintf("%01000d", i)}, At(1000+i, 0), &Origin{fmt.Sprint("s", i), Unsaid}, nil)
	}
	facts := 0
	for _, f := range r.Listed() {
		if f.Name == "t1" {
			facts++
		}
	}
	if facts != MaxKept {
		t.Errorf("%d facts about one trait", facts)
	}
	before := len(r.Listed())
	if dropped := r.Fit(before * 80); dropped == 0 || r.Golden()["t1"] != fmt.Sprintf("%01000d", 19) {
		t.Errorf("%d dropped, golden %v", dropped, r.Golden()["t1"])
	}
}

func BenchmarkLearn(b *testing.B) {
	shop := &Origin{"shop", Unsaid}
	other := &Origin{"crm", Unsaid}
	names := []string{"email", "name", "age", "city", "plan", "loyalty", "orders", "newsletter"}
	for _, bench := range []struct {
		name string
		next func(i int64) (map[string]any, *Origin)
	}{
		{"the same", func(int64) (map[string]any, *Origin) {
			return map[string]any{"email": "a", "name": "b", "age": 1.0}, shop
		}},
		{"parts", func(i int64) (map[string]any, *Origin) {
			return map[string]any{names[i%8]: "a", names[(i+1)%8]: float64(i)}, shop
		}},
		{"two sources", func(i int64) (map[string]any, *Origin) {
			return map[string]any{names[i%8]: "a", names[(i+1)%8]: float64(i)}, []*Origin{shop, other}[i%2]
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var r Record
			b.ReportAllocs()
			i := int64(0)
			for b.Loop() {
				values, origin := bench.next(i)
				i++
				r.Learn(values, At(i, 0), origin, nil)
			}
		})
	}
}
