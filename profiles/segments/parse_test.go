package segments

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/internal/problem"
)

func TestBrokenRulesAreNamed(t *testing.T) {
	t.Parallel()
	many := func(n int, one string) string { return "[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]" }
	deep := strings.Repeat(`{"not":`, MaxDepth) + `{"trait":"x","op":"exists"}` + strings.Repeat("}", MaxDepth)
	for _, c := range []struct{ name, rule, path, message string }{
		{"no JSON", `{"all":`, "rule", "must be a JSON object that is a rule"},
		{"two", `{"segment":"a"} {}`, "rule", "nothing behind it"},
		{"a list", `[]`, "rule", "must be an object that is a rule"},
		{"empty", `{}`, "rule", "must have one of all, any, attribute"},
		{"two kinds", `{"all":[{"segment":"a"}],"trait":"x","op":"exists"}`, "rule", "must not have both all and trait"},
		{"empty group", `{"any":[]}`, "rule.any", "at least one rule"},
		{"misspelt", `{"trait":"x","op":"eq","valeu":1}`, "rule.valeu", "must not be there; known here: trait, op, value, ignoreCase"},
		{"deep path", `{"all":[{"segment":"a"},{"not":{"any":[{"trait":"x","op":"is"}]}}]}`, "rule.all[1].not.any[0].op", "must be one of exists"},
		{"too deep", deep, "rule" + strings.Repeat(".not", MaxDepth), "nested deeper than 64"},
		{"too many", `{"all":` + many(MaxNodes, `{"segment":"a"}`) + `}`, "rule.all[999]", "at most 1000"},
		{"no name", `{"trait":"","op":"exists"}`, "rule.trait", "must be a name"},
		{"name of another type", `{"trait":5,"op":"exists"}`, "rule.trait", "must be a name"},
		{"value beside exists", `{"trait":"x","op":"exists","value":1}`, "rule.value", "must be left out with exists"},
		{"value missing", `{"trait":"x","op":"eq"}`, "rule.value", "must be text, a number or true or false"},
		{"an object", `{"trait":"x","op":"eq","value":{}}`, "rule.value", "must be text, a number or true or false"},
		{"not in a list", `{"trait":"x","op":"in","value":"a"}`, "rule.value", "must be a list of 1 to 1000 values"},
		{"null in a list", `{"trait":"x","op":"in","value":["a",null]}`, "rule.value[1]", "must be text"},
		{"text above", `{"trait":"x","op":"gt","value":"5"}`, "rule.value", "must be a number"},
		{"between", `{"trait":"x","op":"between","value":[5,1]}`, "rule.value", "lower number first"},
		{"between one", `{"trait":"x","op":"between","value":[5]}`, "rule.value", "two numbers"},
		{"empty part", `{"trait":"x","op":"contains","value":""}`, "rule.value", "must not be empty"},
		{"number at the start", `{"trait":"x","op":"startsWith","value":1}`, "rule.value", "must be text"},
		{"no date", `{"trait":"x","op":"before","value":"2026-02-30"}`, "rule.value", "must be a time"},
		{"no span", `{"trait":"x","op":"withinLast","value":"30"}`, "rule.value", "whole number with a unit"},
		{"span of months", `{"trait":"x","op":"withinLast","value":"3M"}`, "rule.value", "whole number with a unit"},
		{"span beyond", `{"trait":"x","op":"withinLast","value":"3661d"}`, "rule.value", "at most 3660d"},
		{"anniversary of hours", `{"trait":"x","op":"anniversaryWithin","value":"36h"}`, "rule.value", "must be whole days"},
		{"case", `{"trait":"x","op":"eq","value":"a","ignoreCase":1}`, "rule.ignoreCase", "must be true or false"},
		{"field", `{"profile":"name","op":"eq","value":"a"}`, "rule.profile", "must be createdAt"},
		{"count of text", `{"profile":"eventCount","op":"eq","value":"a"}`, "rule.value", "must be a number"},
		{"identifier above", `{"identifier":"email","op":"gt","value":1}`, "rule.op", "must be one of exists"},
		{"identifier number", `{"identifier":"email","op":"eq","value":1}`, "rule.value", "must be text, as identifiers are"},
		{"consent", `{"consent":"marketing"}`, "rule.consent", "must be an object with purpose"},
		{"consent without purpose", `{"consent":{"channel":"email"}}`, "rule.consent.purpose", "must be a name"},
		{"own events", `{"event":"Segment Entered"}`, "rule.event", "ask for the segment itself"},
		{"two measures", `{"event":"A","did":true,"times":{"exactly":1}}`, "rule", "must not have both did and times"},
		{"no times", `{"event":"A","times":{}}`, "rule.times", "must have atLeast"},
		{"half a time", `{"event":"A","times":{"atLeast":1.5}}`, "rule.times.atLeast", "must be a whole number"},
		{"always", `{"event":"A","times":{"atLeast":0}}`, "rule.times.atLeast", "holds for everybody"},
		{"times reversed", `{"event":"A","times":{"atLeast":3,"atMost":2}}`, "rule.times", "must not have atLeast above atMost"},
		{"function", `{"event":"A","aggregate":{"function":"median","property":"x","op":"gt","value":1}}`, "rule.aggregate.function", "must be sum"},
		{"sum of a list", `{"event":"A","aggregate":{"function":"sum","property":"x[].y","op":"gt","value":1}}`, "rule.aggregate.property", "outside of lists"},
		{"window", `{"event":"A","window":{}}`, "rule.window", "must have last, from or to"},
		{"window of both", `{"event":"A","window":{"last":"1d","to":"2026-01-01"}}`, "rule.window", "must not have last beside"},
		{"window reversed", `{"event":"A","window":{"from":"2026-01-02","to":"2026-01-02"}}`, "rule.window", "from before to"},
		{"filter", `{"event":"A","where":[{"property":"x","op":"eq","value":1},{"property":"..","op":"eq","value":1}]}`, "rule.where[1].property", "must be a path"},
		{"two lists", `{"event":"A","where":[{"property":"a[].b[].c","op":"eq","value":1}]}`, "rule.where[0].property", "must be a path"},
		{"date of a property", `{"event":"A","where":[{"property":"a","op":"before","value":"2026-01-01"}]}`, "rule.where[0].op", "must be one of exists"},
		{"one step", `{"sequence":[{"event":"A"}]}`, "rule.sequence", "2 to 5"},
		{"measure in a step", `{"sequence":[{"event":"A"},{"event":"B","times":{"exactly":1}}]}`, "rule.sequence[1].times", "must not be there"},
	} {
		_, err := Parse("rule", []byte(c.rule))
		var bad problem.Invalid
		if !errors.As(err, &bad) {
			t.Errorf("%s: the error is %v", c.name, err)
			continue
		}
		found := false
		for _, f := range bad {
			found = found || f.Field == c.path && strings.Contains(f.Rule, c.message)
		}
		if !found {
			t.Errorf("%s: the error is %v, want %s %q", c.name, err, c.path, c.message)
		}
	}
}

// TestMeaning checks single conditions by hand; that ClickHouse says the same is
// checked by [TestBothEvaluatorsAgree].
func TestMeaning(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 2, 27, 12, 0, 0, 0, time.UTC)
	s := &Subject{
		Traits: map[string]any{
			"n": 5.0, "text5": "5", "null": nil, "yes": true, "city": "МОСКВА", "list": []any{"a", 5.0, true}, "o": map[string]any{"city": "Oslo"},
			"day": "2026-02-26", "edge": "2026-01-28T12:00:00Z", "born": "1988-02-29", "march": "1990-03-01", "soon": "2026-02-28T11:59:59Z", "empty": "",
		},
		Identifiers: []Identifier{{Namespace: "email", Value: "Anna@Example.org"}, {Namespace: "email", Value: "b@x.y"}},
		Consents:    []Consent{{"marketing", "", "granted"}, {"marketing", "email", "granted"}, {"marketing", "*", "denied"}, {"*", "*", "withdrawn"}},
		CreatedAt:   at.Add(-time.Hour).UnixMilli(), LastSeenAt: at.UnixMilli(), EventCount: 7,
	}
	for _, c := range []struct {
		rule string
		want bool
	}{
		{`{"trait":"n","op":"eq","value":5}`, true},
		{`{"trait":"n","op":"eq","value":"5"}`, false},
		{`{"trait":"text5","op":"eq","value":5}`, false},
		{`{"trait":"text5","op":"ne","value":5}`, true},
		{`{"trait":"text5","op":"gte","value":5}`, false},
		{`{"trait":"gone","op":"ne","value":5}`, false},
		{`{"not":{"trait":"gone","op":"eq","value":5}}`, true},
		{`{"trait":"null","op":"exists"}`, false},
		{`{"trait":"null","op":"missing"}`, true},
		{`{"trait":"empty","op":"exists"}`, true},
		{`{"trait":"empty","op":"eq","value":""}`, true},
		{`{"trait":"gone","op":"notIn","value":["a"]}`, false},
		{`{"trait":"n","op":"in","value":["a",5]}`, true},
		{`{"trait":"n","op":"between","value":[5,5]}`, true},
		{`{"trait":"n","op":"lt","value":5}`, false},
		{`{"trait":"yes","op":"eq","value":true}`, true},
		{`{"trait":"city","op":"eq","value":"Москва"}`, false},
		{`{"trait":"city","op":"eq","value":"Москва","ignoreCase":true}`, true},
		{`{"trait":"city","op":"contains","value":"осК","ignoreCase":true}`, true},
		{`{"trait":"list","op":"contains","value":5}`, true},
		{`{"trait":"list","op":"contains","value":"5"}`, false},
		{`{"trait":"list","op":"contains","value":"A","ignoreCase":true}`, true},
		{`{"trait":"list","op":"eq","value":"a"}`, false},
		{`{"trait":"o","op":"exists"}`, true},
		{`{"trait":"o.city","op":"eq","value":"Oslo"}`, true},
		{`{"trait":"day","op":"before","value":"2026-02-26"}`, false},
		{`{"trait":"day","op":"after","value":"2026-02-26"}`, true},
		{`{"trait":"day","op":"withinLast","value":"36h"}`, false},
		{`{"trait":"day","op":"withinLast","value":"37h"}`, true},
		{`{"trait":"edge","op":"withinLast","value":"30d"}`, false},
		{`{"trait":"edge","op":"olderThan","value":"30d"}`, true},
		{`{"trait":"soon","op":"withinNext","value":"24h"}`, true},
		{`{"trait":"soon","op":"withinLast","value":"365d"}`, false},
		{`{"trait":"born","op":"anniversaryWithin","value":"1d"}`, false},
		{`{"trait":"born","op":"anniversaryWithin","value":"2d"}`, true}, // 1 March in 2026
		{`{"trait":"march","op":"anniversaryWithin","value":"2d"}`, true},
		{`{"identifier":"email"}`, true},
		{`{"identifier":"phone"}`, false},
		{`{"identifier":"email","op":"endsWith","value":"@example.org","ignoreCase":true}`, true},
		{`{"identifier":"email","op":"eq","value":"b@x.y"}`, true},
		{`{"consent":{"purpose":"marketing","channel":"email"}}`, true},
		{`{"consent":{"purpose":"marketing","channel":"sms"}}`, false},
		{`{"consent":{"purpose":"marketing","channel":"sms","status":"denied"}}`, true},
		{`{"consent":{"purpose":"marketing"}}`, true},
		{`{"consent":{"purpose":"other","channel":"email","status":"withdrawn"}}`, true},
		{`{"consent":{"purpose":"other","status":"unknown"}}`, true},
		{`{"profile":"eventCount","op":"between","value":[7,9]}`, true},
		{`{"profile":"createdAt","op":"withinLast","value":"60m"}`, false},
		{`{"profile":"createdAt","op":"withinLast","value":"61m"}`, true},
		{`{"segment":"gone"}`, false},
		{`{"event":"A"}`, false},
		{`{"event":"A","did":false}`, true},
		{`{"event":"A","aggregate":{"function":"sum","property":"x","op":"lt","value":5}}`, false},
	} {
		r, err := Parse("rule", []byte(c.rule))
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		if got := r.Match(s, at); got != c.want {
			t.Errorf("%s is %v", c.rule, got)
		}
	}
}

func TestSequences(t *testing.T) {
	t.Parallel()
	at := func(list ...int64) (o []Occurrence) {
		for _, a := range list {
			o = append(o, Occurrence{At: a * 60_000})
		}
		return o
	}
	for _, c := range []struct {
		name, within string
		steps        [][]Occurrence
		want         bool
	}{
		{"in order", "", [][]Occurrence{at(1), at(2)}, true},
		{"the other way round", "", [][]Occurrence{at(2), at(1)}, false},
		{"at once", "", [][]Occurrence{at(1), at(1)}, false},
		{"at the bound", "5m", [][]Occurrence{at(1), at(6)}, true},
		{"too late", "5m", [][]Occurrence{at(1), at(7)}, false},
		{"a later beginning", "5m", [][]Occurrence{at(1, 4), at(7)}, true},
		{"a beginning at the very end", "9m", [][]Occurrence{at(1, 10), at(10)}, true},
		{"three", "10m", [][]Occurrence{at(1, 5), at(6, 9), at(14)}, true},
		{"three, too late", "8m", [][]Occurrence{at(1, 5), at(6, 9), at(14)}, false},
		{"the middle comes too early", "", [][]Occurrence{at(3), at(2), at(4)}, false},
	} {
		rule := `{"sequence":[`
		for i := range c.steps {
			rule += fmt.Sprintf(`{"event":"E%d"},`, i)
		}
		rule = strings.TrimSuffix(rule, ",") + "]"
		if c.within != "" {
			rule += `,"within":"` + c.within + `"`
		}
		r, err := Parse("rule", []byte(rule+"}"))
		if err != nil {
			t.Fatal(err)
		}
		slot := -1
		r.Bind(func(*Pattern) int { slot++; return slot })
		if got := r.Match(&Subject{History: &timeline{c.steps}}, time.UnixMilli(3_600_000)); got != c.want {
			t.Errorf("%s is %v", c.name, got)
		}
	}
}

// TestValuesAreNeverPartOfTheStatement looks for hostile values in the text, and
// runs it.
func TestValuesAreNeverPartOfTheStatement(t *testing.T) {
	t.Parallel()
	db := database(t)
	for _, evil := range []string{`'; DROP TABLE people; --`, `{p0:String}`, `\`, `\'`, `') OR 1=1 --`, "`", "a\x00b\nc\td", `%s`, `1}`, "```'''\"\"\""} {
		quoted, _ := json.Marshal(evil)
		name, _ := json.Marshal(strings.ReplaceAll(evil, "\x00", ""))
		source := fmt.Sprintf(`{"any":[{"trait":%[2]s,"op":"eq","value":%[1]s},{"attribute":%[2]s,"op":"in","value":[%[1]s,"x"]},{"identifier":%[2]s,"op":"contains","value":%[1]s},
			{"consent":{"purpose":%[2]s,"channel":%[2]s,"status":%[2]s}},{"segment":%[2]s},
			{"event":%[2]s,"where":[{"property":"a%[3]s","op":"eq","value":%[1]s,"ignoreCase":true}]},
			{"sequence":[{"event":%[2]s},{"event":"x"}]}]}`, quoted, name, "")
		r, err := Parse("rule", []byte(source))
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		b := NewBuilder(tables, now, 0, func(string) (Definition, bool) { return Definition{}, true })
		sql, err := r.Condition(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(evil) > 2 && strings.Contains(sql, evil) && evil != "{p0:String}" {
			t.Errorf("the statement has the value %q", evil)
		}
		ctx := chgo.Context(t.Context(), chgo.WithParameters(b.Params))
		var n uint64
		if err := db.Read.QueryRow(ctx, "SELECT count() FROM people FINAL WHERE "+sql).Scan(&n); err != nil || n != 0 {
			t.Errorf("%q: %d, %v", evil, n, err)
		}
	}
}

func TestCycles(t *testing.T) {
	t.Parallel()
	refers := map[string][]string{"a": {"b", "c"}, "b": {"d"}, "c": {"d", "e"}, "e": {"f"}, "x": {"x"}}
	of := func(key string) []string { return refers[key] }
	for _, c := range []struct{ key, other, want string }{
		{"n", "a", ""}, {"f", "a", "f → a → c → e → f"}, {"a", "a", "a → a"}, {"e", "f", ""}, {"n", "x", ""},
	} {
		if got := Cycle(c.key, c.other, of); got != c.want {
			t.Errorf("%s with %s is %q, want %q", c.key, c.other, got, c.want)
		}
	}
}

func TestReadyFilters(t *testing.T) {
	t.Parallel()
	list := Filters()
	if len(list) < 24 {
		t.Fatalf("there are %d filters", len(list))
	}
	keys := map[string]bool{}
	for _, f := range list {
		if keys[f.Key] || f.Title == "" || f.Description == "" || f.Group == "" {
			t.Errorf("the filter %q is there twice or not described", f.Key)
		}
		keys[f.Key] = true
		rule, err := f.Fill(nil)
		if err != nil {
			t.Errorf("%s: %v", f.Key, err)
			continue
		}
		if strings.Contains(string(rule), `"$`) {
			t.Errorf("%s leaves a place empty: %s", f.Key, rule)
		}
		r, err := Parse("rule", rule)
		if err != nil {
			t.Errorf("%s: %s: %v", f.Key, rule, err)
			continue
		}
		if _, err := r.Condition(NewBuilder(tables, now, 0, nil)); err != nil {
			t.Errorf("%s: %v", f.Key, err)
		}
		for _, p := range f.Parameters {
			if !strings.Contains(string(f.Rule), `"$`+p.Name+`"`) {
				t.Errorf("%s does not use its parameter %s", f.Key, p.Name)
			}
		}
	}
	f := list[2] // age
	rule, err := f.Fill(map[string]any{"from": 18})
	if err != nil || !strings.Contains(string(rule), "18") || !strings.Contains(string(rule), "34") {
		t.Errorf("the filter %s became %s, %v", f.Key, rule, err)
	}
	if _, err := f.Fill(map[string]any{"form": 18}); err == nil {
		t.Error("an unknown parameter was taken")
	}
}

// FuzzParse looks for a rule that makes the parser, the evaluator or the builder
// of SQL panic.
func FuzzParse(f *testing.F) {
	for _, filter := range Filters() {
		rule, err := filter.Fill(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(rule), `{"revenue":5,"products":[{"sku":"a\u00e9"}]}`)
	}
	f.Add([]byte(`{"all":[{"not":{"segment":"a"}},{"event":"A","where":[{"property":"p[].q","op":"contains","value":"x","ignoreCase":true}]}]}`), `{"p":[{"q":["x"]}]}`)
	f.Fuzz(func(t *testing.T, rule []byte, properties string) {
		r, err := Parse("rule", rule)
		if err != nil {
			if r != nil {
				t.Fatal("a rule beside an error")
			}
			return
		}
		s := &somebody{subject: Subject{Traits: map[string]any{"x": properties}}}
		for _, p := range r.Patterns() {
			s.events = append(s.events, Event{Name: p.Event(), Time: now.UnixMilli() - 5, Properties: properties})
		}
		slot := -1
		r.Bind(func(*Pattern) int { slot++; return slot })
		s.place(r.Patterns())
		r.Match(&s.subject, now)
		b := NewBuilder(tables, now, 0, func(string) (Definition, bool) { return Definition{}, false })
		sql, err := r.Condition(b)
		if err == nil && strings.Count(sql, "(") != strings.Count(sql, ")") {
			t.Fatalf("%s became %s", rule, sql)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	subject := &Subject{
		Traits:     map[string]any{"age": 31.0, "city": "Москва", "plan": "gold", "tags": []any{"a", "b", "c"}},
		Attributes: map[string]any{"orders": 5.0, "lifecycleSegment": "loyal"},
		Consents:   []Consent{{"marketing", "email", "granted"}},
		CreatedAt:  now.Add(-time.Hour * 24 * 90).UnixMilli(), LastSeenAt: now.UnixMilli(), EventCount: 100,
	}
	for _, c := range []struct{ name, rule string }{
		{"trait", `{"trait":"age","op":"between","value":[25,34]}`},
		{"five-conditions", `{"all":[{"trait":"age","op":"gte","value":18},{"trait":"city","op":"in","value":["London","Москва"]},{"attribute":"orders","op":"gte","value":2},{"consent":{"purpose":"marketing","channel":"email"}},{"profile":"lastSeenAt","op":"withinLast","value":"30d"}]}`},
		{"events", `{"all":[{"event":"Order Completed","times":{"atLeast":3},"window":{"last":"30d"}},{"event":"Order Completed","aggregate":{"function":"sum","property":"revenue","op":"gte","value":100},"window":{"last":"90d"}},{"event":"Product Viewed","last":{"op":"withinLast","value":"7d"}}]}`},
		{"sequence", `{"sequence":[{"event":"Product Viewed"},{"event":"Product Added"},{"event":"Order Completed"}],"within":"24h","window":{"last":"90d"}}`},
		{"ignore-case", `{"trait":"city","op":"contains","value":"скв","ignoreCase":true}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			r, err := Parse("rule", []byte(c.rule))
			if err != nil {
				b.Fatal(err)
			}
			slot := -1
			r.Bind(func(*Pattern) int { slot++; return slot })
			h := &timeline{make([][]Occurrence, slot+1)}
			for i := range h.series { // 100 occurrences each, one a day
				for d := range 100 {
					h.series[i] = append(h.series[i], Occurrence{At: now.UnixMilli() - int64(100-d)*day + int64(i)*1000, Value: 10})
				}
			}
			s := *subject
			s.History = h
			b.ReportAllocs()
			for b.Loop() {
				r.Match(&s, now)
			}
		})
	}
}
