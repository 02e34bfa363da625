package traits

import (
	"slices"
	"strings"
)

// Entry is one fact of a record and what became of it.
type Entry struct {
	Fact
	// Type is the declared type of the trait, else that of the value.
	Type Type
	// Confidence between 0 and 1: that of the fact, else of the declaration.
	Confidence float64
	// Chosen says that the golden record has this value.
	Chosen bool
	// Rejected is the rule of the declaration that the value breaks, "" for none.
	Rejected string
	// Rule is how the choice was made.
	Rule Survivorship
}

// Lineage tells of every kept fact, ordered by trait, the chosen one first.
func (r *Record) Lineage(rules *Rules) []Entry {
	facts := r.all(0)
	slices.SortStableFunc(facts, func(a, b Fact) int { return strings.Compare(a.Name, b.Name) })
	out := make([]Entry, len(facts))
	for i, f := range facts {
		rule := rules.of(f.Name)
		_, broken := rule.accept(f.Value)
		first := i == 0 || facts[i-1].Name != f.Name
		out[i] = Entry{
			Fact: f, Type: rule.declaration.Type, Confidence: float64(rule.confidenceOf(f.Origin)) / 1000,
			Chosen: first && broken == "", Rejected: broken, Rule: rule.declaration.Survivorship,
		}
		if out[i].Type == "" {
			out[i].Type = TypeOf(f.Value)
		}
	}
	return out
}
