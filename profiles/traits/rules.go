package traits

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Rules are the declarations of all traits in the form in which they are
// applied. They do not change; nil has no declaration.
type Rules struct {
	byName map[string]*rule
}

// rule is one declaration, compiled.
type rule struct {
	declaration Declaration
	pattern     *regexp.Regexp
	confidence  int16
	rank        map[string]int // of sources, the most trusted is 0
}

// undeclared takes everything, the most recent first.
var undeclared = &rule{declaration: Declaration{Survivorship: Recent}, confidence: defaultConfidence}

// Compile makes rules of declarations by the name of their trait. sourceID
// finds the ids of the source with a name, as declarations may name either; nil
// knows no names.
func Compile(declarations map[string]Declaration, sourceIDs func(name string) []string) *Rules {
	r := &Rules{byName: make(map[string]*rule, len(declarations))}
	for name, d := range declarations {
		one := &rule{declaration: d, confidence: defaultConfidence}
		if d.Pattern != "" {
			// Validated when it was written; should it fail, no pattern is asked for.
			one.pattern, _ = compilePattern(d.Pattern)
		}
		if c := d.DefaultConfidence; c != nil {
			one.confidence = Thousandths(*c)
		}
		if len(d.Sources) > 0 {
			one.rank = make(map[string]int, len(d.Sources))
			for i, source := range d.Sources {
				ids := []string{source}
				if sourceIDs != nil {
					ids = append(ids, sourceIDs(source)...)
				}
				for _, id := range ids {
					if _, named := one.rank[id]; !named {
						one.rank[id] = i
					}
				}
			}
		}
		r.byName[name] = one
	}
	return r
}

// Thousandths is a confidence between 0 and 1 as an [Origin] has it.
func Thousandths(confidence float64) int16 {
	return int16(math.Round(1000 * min(1, max(0, confidence))))
}

// Len is the number of declared traits.
func (r *Rules) Len() int {
	if r == nil {
		return 0
	}
	return len(r.byName)
}

// Declaration is that of a trait.
func (r *Rules) Declaration(name string) (Declaration, bool) {
	if r == nil {
		return Declaration{}, false
	}
	one, ok := r.byName[name]
	if !ok {
		return Declaration{}, false
	}
	return one.declaration, true
}

// Personal says whether the trait is personal data: by its declaration, and
// without one where its name is among those that the tracking specification
// reserves for facts that name a person.
func (r *Rules) Personal(name string) bool {
	if one := r.of(name); one != undeclared {
		return one.declaration.Personal
	}
	return namesPerson[name]
}

var namesPerson = map[string]bool{
	"email": true, "phone": true, "name": true, "firstName": true, "lastName": true, "username": true,
	"address": true, "birthday": true, "avatar": true,
}

// Broken is the rule of its declaration that a value breaks, "" when it breaks
// none: "must be of the type number".
func (r *Rules) Broken(name string, value any) string {
	_, broken := r.of(name).accept(value)
	return broken
}

// of is the rule of a trait.
func (r *Rules) of(name string) *rule {
	if r != nil {
		if one, ok := r.byName[name]; ok {
			return one
		}
	}
	return undeclared
}

// accept is the value as the golden record may have it, and what rule a value
// breaks that it may not have. nil is always taken: it says that nothing is known.
func (r *rule) accept(v any) (value any, broken string) {
	if v == nil || r == undeclared {
		return v, ""
	}
	d := &r.declaration
	value, ok := coerce(v, d.Type)
	if !ok {
		return nil, "must be of the type " + string(d.Type)
	}
	if len(d.Allowed) > 0 && !among(value, d.Allowed) {
		return nil, "must be one of the allowed values"
	}
	if d.Min != nil || d.Max != nil {
		size, what := 0.0, "must be"
		switch v := value.(type) {
		case float64:
			size = v
		case string:
			size, what = float64(utf8.RuneCountInString(v)), "must have a length of"
		case []any:
			size, what = float64(len(v)), "must have a number of members of"
		}
		if d.Min != nil && size < *d.Min {
			return nil, what + " at least " + valueText(*d.Min)
		}
		if d.Max != nil && size > *d.Max {
			return nil, what + " at most " + valueText(*d.Max)
		}
	}
	if s, text := value.(string); text && r.pattern != nil && !r.pattern.MatchString(s) {
		return nil, "must match the pattern"
	}
	return value, ""
}

// rankOf is the place of a source among the trusted ones, behind all of them
// when it is not named.
func (r *rule) rankOf(source string) int {
	if rank, ok := r.rank[source]; ok {
		return rank
	}
	if strings.HasPrefix(source, HandPrefix) {
		if rank, ok := r.rank[strings.TrimSuffix(HandPrefix, ":")]; ok {
			return rank
		}
	}
	return math.MaxInt
}

func (r *rule) confidenceOf(o *Origin) int16 {
	if o.Confidence == Unsaid {
		return r.confidence
	}
	return o.Confidence
}

// keepFirst orders facts of different sources by which are kept: those of trusted
// sources before others, then the later ones. It is negative when a is kept
// rather than b. Neither depends on values, which come and go: so what is kept is
// the same in whatever order facts arrive.
func (r *rule) keepFirst(a, b *Fact) int {
	if r.rank != nil {
		if c := cmp.Compare(r.rankOf(a.Origin.Source), r.rankOf(b.Origin.Source)); c != 0 {
			return c
		}
	}
	return later(b, a)
}

// prefer orders facts by which is chosen, the first one best.
func (r *rule) prefer(a, b *Fact) int {
	rule := r.declaration.Survivorship
	if rule != Recent {
		if c := cmp.Compare(nothing(a.Value), nothing(b.Value)); c != 0 {
			return c
		}
	}
	c := 0
	switch rule {
	case Trusted:
		c = cmp.Compare(r.rankOf(a.Origin.Source), r.rankOf(b.Origin.Source))
	case Complete:
		c = cmp.Compare(completeness(b.Value), completeness(a.Value))
	case Confidence:
		c = cmp.Compare(r.confidenceOf(b.Origin), r.confidenceOf(a.Origin))
	case Recent:
	}
	if c != 0 {
		return c
	}
	return later(b, a)
}

func nothing(v any) int {
	if v == nil {
		return 1
	}
	return 0
}

// MaxKept is how many facts about one trait are kept, each from another source,
// beside the newest one that was rejected.
const MaxKept = 5

// settle reduces the facts about one trait, in any order, to those that are
// kept: first the chosen one, then the others by preference, last the newest that
// breaks the declaration. It returns how many of them are valid; the slice is used
// for the result.
func (r *rule) settle(facts []Fact) (kept []Fact, valid int) {
	rejected := -1
	for i := range facts {
		if value, broken := r.accept(facts[i].Value); broken == "" {
			facts[i].Value = value
			facts[valid], facts[i] = facts[i], facts[valid]
			valid++
		}
	}
	for i := valid; i < len(facts); i++ {
		if rejected < 0 || later(&facts[i], &facts[rejected]) > 0 {
			rejected = i
		}
	}
	var last Fact
	if rejected >= 0 {
		last = facts[rejected]
	}
	kept = facts[:valid]
	if valid > 1 {
		kept = newestOfEach(kept)
		if len(kept) > MaxKept {
			slices.SortFunc(kept, func(a, b Fact) int { return r.keepFirst(&a, &b) })
			kept = kept[:MaxKept]
		}
		slices.SortFunc(kept, func(a, b Fact) int { return r.prefer(&a, &b) })
	}
	valid = len(kept)
	if rejected >= 0 {
		kept = append(kept, last)
	}
	return kept, valid
}

// newestOfEach keeps the latest fact of every source.
func newestOfEach(facts []Fact) []Fact {
	n := 0
	for i := range facts {
		known := false
		for j := range n {
			if facts[j].Origin.Source != facts[i].Origin.Source {
				continue
			}
			known = true
			if later(&facts[i], &facts[j]) > 0 {
				facts[j] = facts[i]
			}
			break
		}
		if !known {
			facts[n] = facts[i]
			n++
		}
	}
	return facts[:n]
}
