package experiments

import (
	"cmp"
	"encoding/json"
	"slices"

	"quintet/internal/definitions"
)

// Plan holds the running experiments by decision point, ready to assign people
// without a lock, a look-up of definitions or an allocation. It is immutable.
// A nil Plan assigns nobody.
type Plan struct {
	points map[string][]trial
}

// trial is a running experiment in the form that assignment reads.
type trial struct {
	key          string
	version      int64
	salt         string
	coverage     float64
	coverageSalt string
	weights      []float64
	variants     []Variant
}

// Assignment says which variant of an experiment applies to a person.
type Assignment struct {
	Experiment string
	Version    int64 // of the experiment's definition
	Variant    string
	Control    bool
	Policy     json.RawMessage // of the variant; empty when it has none
}

// Compile makes a plan of the running experiments that name a decision point.
func Compile(defs map[string]definitions.Versioned[Experiment]) *Plan {
	p := &Plan{points: make(map[string][]trial)}
	for key, d := range defs {
		e := &d.Value
		if e.Status != Running || e.DecisionPoint == "" {
			continue
		}
		p.points[e.DecisionPoint] = append(p.points[e.DecisionPoint], trial{
			key: key, version: d.Version, salt: e.Salt, coverage: e.coverage(), coverageSalt: coverageSalt(e.Salt),
			weights: e.Weights(), variants: e.Variants,
		})
	}
	for _, trials := range p.points {
		slices.SortFunc(trials, func(a, b trial) int { return cmp.Compare(a.key, b.key) })
	}
	return p
}

// Assign appends to out what applies to a unit at a decision point: one
// assignment, or none where no experiment runs or the unit is outside its
// coverage. It is a pure function of plan and unit.
func (p *Plan) Assign(decisionPoint, unit string, out []Assignment) []Assignment {
	if p == nil {
		return out
	}
	for i := range p.points[decisionPoint] {
		t := &p.points[decisionPoint][i]
		if !covered(t.coverageSalt, t.coverage, unit) {
			continue
		}
		if v := Assign(t.salt, unit, t.weights); v >= 0 {
			variant := &t.variants[v]
			// One experiment changes a decision; start refuses a second one, and
			// the order of keys settles it should two slip through.
			return append(out, Assignment{Experiment: t.key, Version: t.version, Variant: variant.Key,
				Control: variant.Control, Policy: variant.Policy})
		}
	}
	return out
}

// coverageSalt seeds who takes part. It differs from the salt of the variants,
// so that widening the coverage brings in new people without moving anyone
// between variants.
func coverageSalt(salt string) string { return salt + "/coverage" }

func covered(salt string, coverage float64, unit string) bool {
	return coverage >= 1 || Bucket(salt, unit) < coverage
}
