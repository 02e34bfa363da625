package decide

import (
	"fmt"
	"time"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/experiments/condition"
	"quintet/internal/definitions"
	"quintet/models/bandits"
)

// state is everything that a decision reads, compiled from the definitions.
// It is immutable; a change of any definition swaps it for a new one.
type state struct {
	points map[string]*point
	plan   *experiments.Plan
	limits *limits // nil when there are none
}

// point is a compiled decision point.
type point struct {
	key     string
	version int64
	def     DecisionPoint
	encoder *bandits.Encoder
	actions []action // in the fixed order offers x channels x creatives, then none
	ids     []string // of the actions, for records
	byID    map[string]int
	expires time.Duration
	traits  []string // what the rules and features read of a profile

	counted *counters // decisions answered; nil for a point that is compiled for a replay

	// overrides holds the compiled policy of every experiment variant that may
	// apply here, by its JSON.
	overrides map[string]Policy
	consented bool // whether a channel of the actions is for a purpose

	holdouts []*assignment.Holdout // that the point respects
	groups   *assignment.Split     // nil for a policy that does not learn, and for a point without
	audience []string              // what audiences here read of a profile
	who      *condition.Condition  // the point's own audience; nil for everybody
}

// action is one full answer of a decision point.
type action struct {
	id       string
	offer    *Offer // nil for none, and for an offer that was deleted
	channel  *Channel
	creative *Creative
	offerKey string
	chanKey  string
	suits    *condition.Condition // whom the offer is for; nil for everybody
}

func compilePoint(v definitions.Versioned[DecisionPoint], offers map[string]definitions.Versioned[Offer], channels map[string]definitions.Versioned[Channel]) (*point, error) {
	p := &point{
		key: v.Key, version: v.Version, def: v.Value,
		expires: time.Duration(v.Value.ExpiresAfterMinutes * float64(time.Minute)),
		byID:    make(map[string]int), overrides: make(map[string]Policy),
	}
	encoder, err := bandits.NewEncoder(p.def.Declaration())
	if err != nil {
		return nil, fmt.Errorf("compiling the features of decision point %s: %w", v.Key, err)
	}
	p.encoder = encoder
	if p.who, err = parseCondition(p.def.Audience); err != nil {
		return nil, fmt.Errorf("compiling the audience of decision point %s: %w", v.Key, err)
	}
	p.compileGroups()
	for _, o := range p.def.Offers {
		var suits *condition.Condition
		if offer, ok := offers[o]; ok {
			if suits, err = parseCondition(offer.Value.Applicable); err != nil {
				return nil, fmt.Errorf("compiling whom offer %s is for: %w", o, err)
			}
		}
		for _, c := range p.def.Channels {
			for i := range p.def.Creatives {
				creative := &p.def.Creatives[i]
				a := action{id: o + "/" + c + "/" + creative.Key, creative: creative, offerKey: o, chanKey: c, suits: suits}
				if offer, ok := offers[o]; ok {
					a.offer = &offer.Value
				}
				if channel, ok := channels[c]; ok {
					a.channel = &channel.Value
				}
				p.actions = append(p.actions, a)
			}
		}
	}
	// The baseline needs "none" even where the policy must not choose it.
	p.actions = append(p.actions, action{id: NoneAction})
	p.consented = consented(p.actions)
	p.ids = make([]string, len(p.actions))
	for i := range p.actions {
		p.ids[i] = p.actions[i].id
		p.byID[p.actions[i].id] = i
	}
	p.traits = readTraits(p)
	if p.def.Policy, err = p.compilePolicy(p.def.Policy); err != nil {
		return nil, fmt.Errorf("compiling the policy of decision point %s: %w", v.Key, err)
	}
	return p, nil
}

// readTraits lists what the decision reads of a profile, so that the record can
// hold just that.
func readTraits(p *point) []string {
	seen := make(map[string]bool)
	var out []string
	add := func(name string) {
		if name != "" && !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	for i := range p.def.Features {
		if f := &p.def.Features[i]; f.Source == bandits.SourceProfile {
			if f.Attribute != "" {
				add(f.Attribute)
			} else {
				add(f.Name)
			}
		}
	}
	for i := range p.actions {
		if c := p.actions[i].channel; c != nil {
			add(c.Requires)
		}
	}
	return out
}
