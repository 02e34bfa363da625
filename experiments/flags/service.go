package flags

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Deps are what the service is made of.
type Deps struct {
	Logger      *slog.Logger
	Registry    prometheus.Registerer
	Definitions *definitions.Store
	Experiments *experiments.Service
	// People knows who a client means; nil knows nobody.
	People People
	// Recorder keeps exposures; nil keeps none.
	Recorder Recorder
	// Bandits write out policies; nil has none.
	Bandits Bandits
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

// Service keeps the definitions of flags and evaluates them.
type Service struct {
	log       *slog.Logger
	flags     *definitions.Collection[Flag]
	trials    *experiments.Service
	people    People
	bandits   Bandits
	exposures *Exposures
	now       func() time.Time

	rebuild sync.Mutex
	state   atomic.Pointer[State]
	changed atomic.Pointer[chan struct{}]
	rebuilt chan struct{} // a new state, for the timer
}

// maxFlags bounds how many flags there are: a bulk evaluation looks at all of them.
const maxFlags = 2000

// Open loads the flags and compiles them; [Service.Run] keeps schedules and writes
// exposures.
func Open(_ context.Context, d Deps) (*Service, error) {
	s := &Service{log: d.Logger, trials: d.Experiments, people: d.People, bandits: d.Bandits, now: d.Now, rebuilt: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.exposures = newExposures(d.Recorder, s.log, d.Registry, s.now)
	first := make(chan struct{})
	s.changed.Store(&first)
	var err error
	if s.flags, err = definitions.NewCollection(d.Definitions, "flags", s.check); err != nil {
		return nil, fmt.Errorf("loading flags: %w", err)
	}
	s.compile()
	s.trials.UseFlags(s)
	s.compile()
	s.flags.OnChange(s.compile)
	s.trials.Definitions().OnChange(s.compile)
	s.trials.Layers().OnChange(s.compile)
	s.trials.Holdouts().OnChange(s.compile)
	return s, nil
}

// Definitions are the flags by key.
func (s *Service) Definitions() *definitions.Collection[Flag] { return s.flags }

// State is the current state.
func (s *Service) State() *State { return s.state.Load() }

// People knows who a client means; it may be nil.
func (s *Service) People() People { return s.people }

// Exposures keeps who was given what.
func (s *Service) Exposures() *Exposures { return s.exposures }

// Now is the service's clock.
func (s *Service) Now() time.Time { return s.now() }

// Changed is closed when the state that is current now is not any more.
func (s *Service) Changed() <-chan struct{} { return *s.changed.Load() }

// compile swaps in a state of the current definitions.
func (s *Service) compile() {
	s.rebuild.Lock()
	defer s.rebuild.Unlock()
	next := Compile(s.flags.Snapshot(), s.trials.Plan(), s.trials.Definitions().Snapshot(), s.bandits, s.now())
	last := s.state.Swap(next)
	for key, f := range next.flags {
		if f.circular && (last == nil || last.flags[key] == nil || !last.flags[key].circular) {
			s.log.Error("a flag is off: it waits for itself, through prerequisites or experiments", "flag", key)
		}
	}
	select {
	case s.rebuilt <- struct{}{}:
	default:
	}
	if last != nil && last.tag == next.tag {
		return
	}
	fresh := make(chan struct{})
	close(*s.changed.Swap(&fresh))
}

// policyInterval is how soon a new model is noticed.
const policyInterval = 2 * time.Second

// Run compiles anew whenever a schedule asks for it, and writes exposures, until the
// context ends.
func (s *Service) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.exposures.run(ctx) }()
	for {
		wait := time.Hour
		if until := s.State().until; !until.IsZero() {
			wait = min(wait, max(until.Sub(s.now()), time.Millisecond))
		}
		if len(s.State().stamps) > 0 {
			wait = min(wait, policyInterval)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return <-done
		case <-s.rebuilt:
			timer.Stop()
		case <-timer.C:
			if until := s.State().until; !until.IsZero() && !until.After(s.now()) || s.State().stale() {
				s.compile()
			}
		}
	}
}

// Gate decides whether the value of a flag is among some, given as JSON; false when
// there is no such flag. It is the [experiments.FlagSource] of prerequisites.
func (s *Service) Gate(key string, values []string) (assignment.Gate, bool) {
	wanted := make([]any, 0, len(values))
	for _, v := range values {
		var plain any
		if json.Unmarshal([]byte(v), &plain) != nil {
			plain = v // a text may be written without its quotation marks
		}
		wanted = append(wanted, plain)
	}
	return func(subject assignment.Subject, at time.Time) bool {
		e, ok := s.State().Evaluate(key, subject, at, nil, nil)
		return ok && e.among(wanted)
	}, s.State() != nil && s.State().Has(key)
}

// check fills in what a definition leaves out and refuses what is wrong with it, or
// with what it refers to.
func (s *Service) check(_ context.Context, key string, f *Flag) error {
	f.normalise(key)
	bad := f.validate(key)
	if len(bad) > 0 {
		return bad.Err()
	}
	was, exists := s.flags.Get(key)
	if exists {
		f.keep(&was.Value, &bad)
	} else if n := len(s.flags.Snapshot()); n >= maxFlags {
		return problem.Conflict(fmt.Sprintf("There are %d flags, the most there may be; delete some first.", n))
	}
	for i, p := range f.Prerequisites {
		if _, ok := s.flags.Get(p.Flag); !ok {
			bad.Add(fmt.Sprintf("prerequisites[%d].flag", i), "must be the key of a flag", p.Flag)
		}
	}
	for i, h := range f.Holdouts {
		if _, ok := s.trials.Holdouts().Get(h); !ok {
			bad.Add(fmt.Sprintf("holdouts[%d]", i), "must be the key of a holdout", h)
		}
	}
	for i := range f.Rules {
		s.checkTrial(&f.Rules[i], fmt.Sprintf("rules[%d]", i), &bad)
	}
	all := map[string]definitions.Versioned[Flag]{key: {Key: key, Value: *f}}
	for other, v := range s.flags.Snapshot() {
		if other != key {
			all[other] = v
		}
	}
	g := graph{all, s.trials.Definitions().Snapshot()}
	if g.circular(flagNode(key)) {
		bad.Add("prerequisites", "must not lead back to the flag, nor must those of its experiments", key)
	}
	return bad.Err()
}

// checkTrial checks what a rule says of an experiment.
func (s *Service) checkTrial(r *Rule, at string, bad *problem.Invalid) {
	if r.Bandit != "" && s.bandits != nil {
		if _, ok := s.bandits.Weights(r.Bandit, slices.Sorted(maps.Keys(r.Values))); !ok {
			bad.Add(at+".bandit", "must be the key of a decision point that has all of the actions in values", r.Bandit)
		}
	}
	if r.Experiment == "" {
		return
	}
	e, ok := s.trials.Definitions().Get(r.Experiment)
	if !ok {
		bad.Add(at+".experiment", "must be the key of an experiment", r.Experiment)
		return
	}
	for variant := range r.Values {
		if !slices.ContainsFunc(e.Value.Variants, func(v experiments.Variant) bool { return v.Key == variant }) {
			bad.Add(problem.Join(at, problem.Join("values", variant)), "must be the key of a variant of "+r.Experiment, variant)
		}
	}
}
