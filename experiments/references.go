package experiments

import (
	"fmt"
	"slices"
	"time"

	"quintet/experiments/condition"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Layers are the layers by key.
func (s *Service) Layers() *definitions.Collection[Layer] { return s.layers }

// Plan is the current plan.
func (s *Service) Plan() *Plan { return s.plan.Load() }

// UseFlags has prerequisites on flags decided by f.
func (s *Service) UseFlags(f FlagSource) {
	s.flags.Store(&f)
	s.Recompile()
}

// Recompile makes the plan anew.
func (s *Service) Recompile() {
	s.compiling.Lock()
	s.plan.Store(Compile(s.sources()))
	watchers := slices.Clone(s.planned)
	s.compiling.Unlock()
	for _, f := range watchers {
		f()
	}
}

// OnPlan has f called whenever there is a new plan.
func (s *Service) OnPlan(f func()) {
	s.compiling.Lock()
	defer s.compiling.Unlock()
	s.planned = append(s.planned, f)
}

func (s *Service) sources() Sources {
	src := Sources{Experiments: s.experiments.Snapshot(), Layers: s.layers.Snapshot(), Holdouts: s.holdouts.Snapshot()}
	if f := s.flags.Load(); f != nil {
		src.Flags = *f
	}
	return src
}

// watch keeps the plan up to date. It is called before anybody else can watch, so that
// they find the new plan.
func (s *Service) watch() {
	s.Recompile()
	s.experiments.OnChange(s.Recompile)
	s.layers.OnChange(s.Recompile)
	s.holdouts.OnChange(s.Recompile)
}

// checkReferences checks what the targeting of an experiment refers to. What a
// definition that has ended refers to may be gone.
func (s *Service) checkReferences(key string, e, was *Experiment, bad *problem.Invalid) {
	if e.Status == Stopped || e.Status == Archived {
		return
	}
	if _, err := condition.Parse(e.Audience); err != nil {
		bad.Nest("audience", err)
	}
	for i, h := range e.Holdouts {
		at := fmt.Sprintf("holdouts[%d]", i)
		if h == UniversalHoldout {
			bad.Add(at, "must be a named one: every advertising decision respects the universal holdout", h)
		} else if _, ok := s.holdouts.Get(h); !ok {
			bad.Add(at, "must be the key of a holdout", h)
		}
	}
	s.checkLayers(key, e, bad)
	s.checkPrerequisites(key, e, was, bad)
}

func (s *Service) checkLayers(key string, e *Experiment, bad *problem.Invalid) {
	for i, r := range e.Layers {
		at := func(field string) string { return fmt.Sprintf("layers[%d].%s", i, field) }
		l, ok := s.layers.Get(r.Layer)
		switch {
		case !ok:
			bad.Add(at("layer"), "must be the key of a layer", r.Layer)
		case l.Value.unit() != e.unit():
			bad.Add(at("layer"), fmt.Sprintf("must be a layer whose unit is %s, as the experiment's; %s divides %s", e.unit(), r.Layer, l.Value.unit()), r.Layer)
		case e.hash() != XXHash && l.Value.hash() != e.hash():
			bad.Add(at("layer"), fmt.Sprintf("must be a layer with the experiment's hash, %s, so that SDKs can compute it too", e.hash()), r.Layer)
		}
	}
	s.checkRoom(bad, "layers", tenant{kind: "experiment", key: key}, e.Layers)
}

func (l *Layer) hash() string {
	if l.Hash == "" {
		return XXHash
	}
	return l.Hash
}

// checkPrerequisites checks that what is required exists, does not come back to the
// experiment, and has started when the experiment does.
func (s *Service) checkPrerequisites(key string, e, was *Experiment, bad *problem.Invalid) {
	starts := e.Status == Running && was.Status != Running
	for i, p := range e.Prerequisites {
		at := func(field string) string { return fmt.Sprintf("prerequisites[%d].%s", i, field) }
		if p.Flag != "" {
			s.checkFlag(key, at, p, bad)
			continue
		}
		if p.Experiment == "" {
			continue // said already
		}
		v, ok := s.experiments.Get(p.Experiment)
		switch {
		case p.Experiment == key:
			bad.Add(at("experiment"), "must be another experiment", p.Experiment)
			continue
		case !ok:
			bad.Add(at("experiment"), "must be the key of an experiment", p.Experiment)
			continue
		}
		for j, variant := range p.Variants {
			if !slices.ContainsFunc(v.Value.Variants, func(o Variant) bool { return o.Key == variant }) {
				bad.Add(at(fmt.Sprintf("variants[%d]", j)), "must be the key of a variant of "+p.Experiment, variant)
			}
		}
		if way := s.requires(p.Experiment, key, nil); way != nil {
			bad.Add(at("experiment"), fmt.Sprintf("must not come back to %s, which it requires by %v", key, way), p.Experiment)
			continue
		}
		switch first := v.Value.begins(); {
		case starts && v.Value.Status != Running:
			bad.Add(at("experiment"), fmt.Sprintf("must be running when %s starts; it is %s", key, v.Value.Status), p.Experiment)
		case e.Status != Running && e.StartAt != nil && first != nil && e.StartAt.Before(*first):
			bad.Add(at("experiment"), fmt.Sprintf("must start before %s does: it starts at %s", key, first.Format(time.RFC3339)), p.Experiment)
		case e.Status != Running && e.StartAt != nil && first == nil:
			bad.Add(at("experiment"), fmt.Sprintf("must start before %s does: it has no startAt yet", key), p.Experiment)
		}
	}
}

// begins is when an experiment started or is to start; nil when that is not known.
func (e *Experiment) begins() *time.Time {
	if e.StartedAt != nil {
		return e.StartedAt
	}
	return e.StartAt
}

// requires is the way from an experiment by its prerequisites to another one; nil when
// there is none.
func (s *Service) requires(from, to string, seen []string) []string {
	if slices.Contains(seen, from) {
		return nil
	}
	seen = append(seen, from)
	v, ok := s.experiments.Get(from)
	if !ok {
		return nil
	}
	for _, p := range v.Value.Prerequisites {
		if p.Experiment == to {
			return []string{from, to}
		}
		if p.Experiment == "" {
			continue
		}
		if way := s.requires(p.Experiment, to, seen); way != nil {
			return append([]string{from}, way...)
		}
	}
	return nil
}

func (s *Service) checkFlag(key string, at func(string) string, p Prerequisite, bad *problem.Invalid) {
	f := s.flags.Load()
	if f != nil {
		if _, ok := (*f).Gate(p.Flag, p.Variants); ok {
			if (*f).Needs(p.Flag, key) {
				bad.Add(at("flag"), fmt.Sprintf("must not come back to %s, for which it waits", key), p.Flag)
			}
			return
		}
	}
	bad.Add(at("flag"), "must be the key of a flag", p.Flag)
}
