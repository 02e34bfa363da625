package flags

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/experiments/condition"
	"quintet/internal/definitions"
)

// State is all flags at one moment, compiled. It is immutable.
type State struct {
	flags   map[string]*flag
	keys    []string // in order
	plan    *experiments.Plan
	bandits Bandits
	at      time.Time
	until   time.Time // when a schedule makes it stale; zero for never
	tag     string
	stamps  []stamp // of the policies that it has
}

// stamp is what a policy was when the state was made.
type stamp struct{ point, stamp string }

// stale says whether a policy has changed since.
func (st *State) stale() bool {
	for _, s := range st.stamps {
		if st.bandits.Stamp(s.point) != s.stamp {
			return true
		}
	}
	return false
}

// value is a value of a flag.
type value struct {
	raw   json.RawMessage // as it was written, without white space
	plain any
}

type flag struct {
	key      string
	version  int64
	kind     Type
	off      bool // switched off, or outside of its period
	circular bool
	def      value
	parents  []parent
	holdouts []*assignment.Holdout
	rules    []rule
	tracked  bool // exposures are the client's to report
	keyed    bool // whether it takes to know who asks

	offAnswer, defAnswer []byte
}

type parent struct {
	flag      string
	condition *condition.Condition
}

type rule struct {
	key       string
	source    json.RawMessage // of the condition
	condition *condition.Condition
	value     value

	shared bool // whether there is a share
	share  float64
	unit   string
	salt   string

	experiment string
	trial      *experiments.Trial // nil when there is none
	values     []value            // parallel to its variants
	bandit     *bandit            // with values parallel to its actions
	point      string             // whose policy it is

	answers [][]byte // by variant
}

// Compile makes a state of definitions as of a moment.
func Compile(all map[string]definitions.Versioned[Flag], plan *experiments.Plan, trials map[string]definitions.Versioned[experiments.Experiment], bandits Bandits, at time.Time) *State {
	st := &State{bandits: bandits, flags: make(map[string]*flag, len(all)), keys: slices.Sorted(maps.Keys(all)), plan: plan, at: at}
	g := graph{flags: all, trials: trials}
	hash := xxhash.New()
	for _, key := range st.keys {
		v := all[key]
		st.flags[key] = st.compile(v)
		st.flags[key].circular = g.circular(flagNode(key))
		write(hash, "f", key, v.Version)
		for i := range v.Value.Rules {
			r := &v.Value.Rules[i]
			if t := plan.Trial(r.Experiment); t != nil {
				write(hash, "e", t.Key, t.Version)
			}
			if bandits != nil && r.Bandit != "" {
				write(hash, "b", r.Bandit+"@"+bandits.Stamp(r.Bandit), 0)
				st.stamps = append(st.stamps, stamp{r.Bandit, bandits.Stamp(r.Bandit)})
			}
		}
	}
	write(hash, "at", "", st.schedule(all, trials))
	st.tag = strconv.FormatUint(hash.Sum64(), 36)
	return st
}

func write(h *xxhash.Digest, kind, key string, n int64) {
	// A digest's writes never fail.
	_, _ = h.WriteString(kind + "\x00" + key + "\x00" + strconv.FormatInt(n, 36) + "\x00")
}

// Tag changes with everything that may change what flags are evaluated to, but for
// what is known of people.
func (st *State) Tag() string { return st.tag }

// At is when the state was made.
func (st *State) At() time.Time { return st.at }

// Keys are the flags in order.
func (st *State) Keys() []string { return st.keys }

// Has says whether there is a flag of the key.
func (st *State) Has(key string) bool { return st.flags[key] != nil }

// Keyed says whether a flag cannot be evaluated without knowing who asks.
func (st *State) Keyed(key string) bool {
	f := st.flags[key]
	return f != nil && f.keyed && !f.off
}

// TypeOf is the type of a flag, empty when there is none.
func (st *State) TypeOf(key string) Type {
	if f := st.flags[key]; f != nil {
		return f.kind
	}
	return ""
}

// Trials are the experiments that flags use, with the number of their variants.
func (st *State) Trials() map[string]int {
	out := make(map[string]int)
	for _, f := range st.flags {
		for i := range f.rules {
			if t := f.rules[i].trial; t != nil {
				out[t.Key] = len(t.Variants)
			}
		}
	}
	return out
}

// schedule finds when the state becomes stale, and returns how many moments of
// schedules have passed, so that two states of the same definitions differ.
func (st *State) schedule(all map[string]definitions.Versioned[Flag], trials map[string]definitions.Versioned[experiments.Experiment]) (passed int64) {
	moment := func(at *time.Time) {
		switch {
		case at == nil:
		case !at.After(st.at):
			passed++
		case st.until.IsZero() || at.Before(st.until):
			st.until = *at
		}
	}
	used := make(map[string]bool)
	for _, v := range all {
		moment(v.Value.StartAt)
		moment(v.Value.EndAt)
		for i := range v.Value.Rules {
			moment(v.Value.Rules[i].StartAt)
			moment(v.Value.Rules[i].EndAt)
			used[v.Value.Rules[i].Experiment] = true
		}
	}
	for key := range used {
		if v, ok := trials[key]; ok {
			moment(v.Value.StartAt)
			moment(v.Value.EndAt)
		}
		if t := st.plan.Trial(key); t != nil {
			for i := range t.Steps {
				moment(&t.Steps[i].From)
			}
		}
	}
	return passed
}

// within says whether a moment is in a period that may be open.
func within(at time.Time, from, to *time.Time) bool {
	return (from == nil || !at.Before(*from)) && (to == nil || at.Before(*to))
}

func (st *State) compile(v definitions.Versioned[Flag]) *flag {
	d := &v.Value
	f := &flag{
		key: v.Key, version: v.Version, kind: d.Type, off: !d.enabled() || !within(st.at, d.StartAt, d.EndAt), def: compileValue(d.Default),
		tracked: d.Exposures == ByTracking,
	}
	for _, p := range d.Prerequisites {
		// What does not parse was refused when it was written.
		c, err := condition.Parse(p.Condition)
		if err != nil {
			c = nil
		}
		f.parents = append(f.parents, parent{p.Flag, c})
	}
	for _, key := range d.Holdouts {
		if h := st.plan.Holdout(key); h != nil {
			f.holdouts = append(f.holdouts, h)
		}
	}
	for i := range d.Rules {
		if r := &d.Rules[i]; within(st.at, r.StartAt, r.EndAt) {
			if compiled, ok := st.rule(r, f); ok {
				f.rules = append(f.rules, compiled)
				f.keyed = f.keyed || compiled.byUser()
			}
		}
	}
	f.keyed = f.keyed || len(f.holdouts) > 0
	f.prepare()
	return f
}

// byUser says whether a rule draws by who the user is.
func (r *rule) byUser() bool {
	unit := r.unit
	if r.trial != nil && r.trial.Running {
		unit = r.trial.Unit
	} else if !r.shared && r.bandit == nil {
		return false
	}
	return unit == assignment.Person || unit == UserUnit
}

func (st *State) rule(r *Rule, f *flag) (rule, bool) {
	c, err := condition.Parse(r.Condition)
	if err != nil {
		return rule{}, false
	}
	out := rule{key: r.Key, source: r.Condition, condition: c}
	if r.Bandit != "" {
		out.point, out.bandit, out.unit, out.salt = r.Bandit, compileBandit(f.key, r, st.bandits), r.Unit, r.Salt
		if out.bandit != nil {
			for _, action := range out.bandit.actions {
				out.values = append(out.values, compileValue(r.Values[action]))
			}
		}
		return out, true
	}
	if r.Experiment == "" {
		out.value, out.unit, out.salt = compileValue(r.Value), r.Unit, r.Salt
		if r.Coverage != nil && *r.Coverage < 1 {
			out.shared, out.share = true, *r.Coverage
		}
		return out, true
	}
	out.experiment, out.trial = r.Experiment, st.plan.Trial(r.Experiment)
	if out.trial == nil {
		return out, true
	}
	for _, variant := range out.trial.Variants {
		v, ok := r.Values[variant.Key]
		if !ok {
			out.values = append(out.values, f.def)
			continue
		}
		out.values = append(out.values, compileValue(v))
	}
	return out, true
}

func compileValue(raw json.RawMessage) value {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return value{raw: json.RawMessage("null")}
	}
	v := value{raw: b.Bytes()}
	// It was compacted, so it is JSON; what float64 cannot hold is compared as nothing.
	_ = json.Unmarshal(v.raw, &v.plain)
	return v
}
