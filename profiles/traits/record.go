package traits

import (
	"maps"
	"slices"
	"strings"
)

// Limits of one record.
const (
	MaxTraits = 300
	// MaxBytes bounds the golden record in JSON, and once more the facts behind it.
	MaxBytes = 64 << 10
)

// Record is what is known of the traits of one profile. Its zero value knows
// nothing. Copies share their contents, which are replaced and never changed in
// place: a copy made under a lock may be read without it.
//
// Most profiles have one source that said everything at one moment. They cost
// the golden record with one moment and one origin; facts are listed only where
// they differ.
type Record struct {
	golden map[string]any
	// A trait of the golden record without a listed fact has one fact, with at and
	// origin. Of a listed trait all facts are listed, ordered by name and within a
	// name as settle has them.
	listed *[]Fact
	at     Moment
	origin *Origin
}

// Golden is the chosen value of every trait. It must not be changed.
func (r *Record) Golden() map[string]any { return r.golden }

// Shared is the moment and the origin of the traits that are not listed.
func (r *Record) Shared() (Moment, *Origin) {
	if r.origin == nil {
		return r.at, nobody
	}
	return r.at, r.origin
}

// Listed are the facts about traits whose facts differ from the shared moment and
// origin, ordered by name, the chosen one first. They must not be changed.
func (r *Record) Listed() []Fact {
	if r.listed == nil {
		return nil
	}
	return *r.listed
}

// Restore makes the record of its parts, as [Record.Golden], [Record.Shared] and
// [Record.Listed] gave them.
func Restore(golden map[string]any, at Moment, origin *Origin, listed []Fact) Record {
	r := Record{golden: golden, at: at, origin: origin}
	if len(listed) > 0 {
		slices.SortStableFunc(listed, func(a, b Fact) int { return strings.Compare(a.Name, b.Name) })
		r.listed = &listed
	}
	return r
}

// Learned says what came of facts that were told.
type Learned struct {
	// Changed says that the golden record changed, Stored that anything did.
	Changed, Stored bool
	// Rejected are the traits whose value breaks their declaration; it is kept
	// beside the golden record.
	Rejected []string
	// Refused counts traits that did not fit any more.
	Refused uint64
}

// Learn takes in what one message says. names must be canonical. The values are
// kept.
func (r *Record) Learn(values map[string]any, at Moment, origin *Origin, rules *Rules) Learned {
	if len(values) == 0 {
		return Learned{}
	}
	if out, done := r.learnAlike(values, at, origin, rules); done {
		return out
	}
	var out Learned
	known := r.names()
	told := make([]string, 0, len(values))
	for name := range values {
		told = append(told, name)
	}
	slices.Sort(told)
	facts := r.all(len(told))
	for _, name := range told {
		_, has := r.golden[name]
		if !has && !r.lists(name) {
			if known >= MaxTraits {
				out.Refused++
				continue
			}
			known++
		}
		value := values[name]
		if _, broken := rules.of(name).accept(value); broken != "" {
			out.Rejected = append(out.Rejected, name)
		}
		facts = append(facts, Fact{name, value, at, origin})
	}
	out.Changed, out.Stored = r.replace(facts, at, origin, rules)
	return out
}

// learnAlike is the usual case: everything known is of one source and one moment,
// and the message speaks for all of it, or is of the same moment.
func (r *Record) learnAlike(values map[string]any, at Moment, origin *Origin, rules *Rules) (Learned, bool) {
	if r.listed != nil || len(values) > MaxTraits || len(r.golden) > 0 && (at <= r.at || !sameOrigin(origin, r.origin)) {
		return Learned{}, false
	}
	covered, differs := 0, false
	for name, value := range values {
		accepted, broken := rules.of(name).accept(value)
		if broken != "" {
			return Learned{}, false
		}
		old, has := r.golden[name]
		if has {
			covered++
		}
		differs = differs || !has || !equal(old, accepted)
	}
	if covered < len(r.golden) {
		return Learned{}, false
	}
	r.at, r.origin = at, origin
	if differs {
		golden := make(map[string]any, len(values))
		for name, value := range values {
			golden[name], _ = rules.of(name).accept(value)
		}
		r.golden = golden
	}
	return Learned{Changed: differs, Stored: true}, true
}

// names is the number of traits of which anything is known.
func (r *Record) names() int {
	n := len(r.golden)
	before := ""
	for _, f := range r.Listed() {
		if _, golden := r.golden[f.Name]; !golden && f.Name != before {
			n++
		}
		before = f.Name
	}
	return n
}

// lists says whether facts about the trait are listed.
func (r *Record) lists(name string) bool {
	_, found := slices.BinarySearchFunc(r.Listed(), name, func(f Fact, name string) int { return strings.Compare(f.Name, name) })
	return found
}

// all is every fact of the record, with room for more.
func (r *Record) all(room int) []Fact {
	listed := r.Listed()
	facts := make([]Fact, 0, len(r.golden)+len(listed)+room)
	facts = append(facts, listed...)
	at, origin := r.Shared()
	for name, value := range r.golden {
		if len(listed) == 0 || !r.lists(name) {
			facts = append(facts, Fact{name, value, at, origin})
		}
	}
	return facts
}

// replace makes the record of facts, in any order, which it uses up. at and origin
// are of those that came last: where more traits have them than what was shared so
// far, they are shared from now on.
func (r *Record) replace(facts []Fact, at Moment, origin *Origin, rules *Rules) (changed, stored bool) {
	slices.SortStableFunc(facts, func(a, b Fact) int { return strings.Compare(a.Name, b.Name) })
	oldAt, oldOrigin := r.Shared()
	golden, cloned := r.golden, false
	have, like, likeOld := 0, 0, 0 // traits with a value; of one fact as it came last, as it was shared so far
	// Groups are settled in place: no group grows.
	kept := facts[:0]
	for from := 0; from < len(facts); {
		to := from + 1
		for to < len(facts) && facts[to].Name == facts[from].Name {
			to++
		}
		name, rule := facts[from].Name, rules.of(facts[from].Name)
		group, valid := rule.settle(facts[from:to])
		from = to
		if valid > 0 {
			have++
			value := group[0].Value
			old, has := golden[name]
			if !has || !equal(old, value) {
				if !cloned {
					if golden, cloned = maps.Clone(golden), true; golden == nil {
						golden = make(map[string]any, len(facts))
					}
				}
				golden[name] = value
			}
		}
		if valid == 1 && len(group) == 1 {
			switch f := &group[0]; {
			case f.At == oldAt && sameOrigin(f.Origin, oldOrigin):
				likeOld++
			case f.At == at && sameOrigin(f.Origin, origin):
				like++
			}
		}
		kept = append(kept, group...)
	}
	if have < len(golden) {
		// A declaration took values away.
		golden = maps.Clone(golden)
		for name := range golden {
			if !hasValid(kept, name, rules) {
				delete(golden, name)
			}
		}
		cloned = true
	}
	if like > likeOld || r.origin == nil {
		oldAt, oldOrigin = at, origin
	}
	next := Record{golden: golden, at: oldAt, origin: oldOrigin}
	next.list(kept, rules)
	stored = cloned || next.at != r.at || next.origin != r.origin || !slices.EqualFunc(next.Listed(), r.Listed(), sameFact)
	if cloned || stored {
		*r = next
	}
	return cloned, stored
}

func hasValid(facts []Fact, name string, rules *Rules) bool {
	i, found := slices.BinarySearchFunc(facts, name, func(f Fact, name string) int { return strings.Compare(f.Name, name) })
	if !found {
		return false
	}
	_, broken := rules.of(name).accept(facts[i].Value)
	return broken == ""
}

func sameFact(a, b Fact) bool {
	return a.Name == b.Name && a.At == b.At && sameOrigin(a.Origin, b.Origin) && equal(a.Value, b.Value)
}

// list notes the facts that the shared moment and origin do not stand for.
func (r *Record) list(facts []Fact, rules *Rules) {
	implied := func(i int) bool {
		f := &facts[i]
		if f.At != r.at || !sameOrigin(f.Origin, r.origin) || i > 0 && facts[i-1].Name == f.Name || i+1 < len(facts) && facts[i+1].Name == f.Name {
			return false
		}
		_, broken := rules.of(f.Name).accept(f.Value)
		return broken == ""
	}
	n := 0
	for i := range facts {
		if !implied(i) {
			n++
		}
	}
	if n == 0 {
		r.listed = nil
		return
	}
	listed := make([]Fact, 0, n)
	for i := range facts {
		if !implied(i) {
			listed = append(listed, facts[i])
		}
	}
	r.listed = &listed
}

// Rechoose applies rules that have changed and reports whether the golden record
// is another one now.
func (r *Record) Rechoose(rules *Rules) (changed bool) {
	if len(r.golden) == 0 && r.listed == nil {
		return false
	}
	if r.listed == nil && !r.concerned(rules) {
		return false
	}
	at, origin := r.Shared()
	changed, _ = r.replace(r.all(0), at, origin, rules)
	return changed
}

// concerned says whether a value of the golden record is not as its declaration
// has it.
func (r *Record) concerned(rules *Rules) bool {
	if rules.Len() == 0 {
		return false
	}
	for name, value := range r.golden {
		if accepted, broken := rules.of(name).accept(value); broken != "" || !equal(accepted, value) {
			return true
		}
	}
	return false
}

// Combine is the record of a person whose profiles have the given records: the
// facts of all of them, chosen from by the same rules.
func Combine(records []Record, rules *Rules) Record {
	var out Record
	switch len(records) {
	case 0:
		return out
	case 1:
		return records[0]
	}
	var facts []Fact
	for i := range records {
		facts = append(facts, records[i].all(0)...)
	}
	if len(facts) == 0 {
		return out
	}
	at, origin := records[0].Shared()
	out.replace(facts, at, origin, rules)
	return out
}

// Fit drops facts that were not chosen, the oldest first, until those listed take
// at most limit bytes, and returns how many it dropped.
func (r *Record) Fit(limit int) (dropped uint64) {
	listed := r.Listed()
	total := 0
	for i := range listed {
		total += size(&listed[i])
	}
	if total <= limit {
		return 0
	}
	listed = slices.Clone(listed)
	for total > limit {
		oldest := -1
		for i := range listed {
			if _, golden := r.golden[listed[i].Name]; golden && (i == 0 || listed[i-1].Name != listed[i].Name) {
				continue // the chosen one
			}
			if oldest < 0 || later(&listed[oldest], &listed[i]) > 0 {
				oldest = i
			}
		}
		if oldest < 0 {
			break
		}
		total -= size(&listed[oldest])
		listed = slices.Delete(listed, oldest, oldest+1)
		dropped++
	}
	if r.listed = nil; len(listed) > 0 {
		r.listed = &listed
	}
	return dropped
}

// size is roughly what a fact takes in JSON, in bytes.
func size(f *Fact) int { return len(f.Name) + len(valueText(f.Value)) + 64 }
