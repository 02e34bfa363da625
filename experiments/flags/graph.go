package flags

import (
	"quintet/experiments"
	"quintet/internal/definitions"
)

// graph is what flags and experiments wait for: a flag for its prerequisites and the
// experiments of its rules, an experiment for its prerequisites.
type graph struct {
	flags  map[string]definitions.Versioned[Flag]
	trials map[string]definitions.Versioned[experiments.Experiment]
}

// node is a flag or an experiment.
type node struct {
	kind byte
	key  string
}

func flagNode(key string) node { return node{'f', key} }

func trialNode(key string) node { return node{'e', key} }

func (g *graph) next(n node) []node {
	var out []node
	if n.kind == 'f' {
		f := g.flags[n.key]
		for _, p := range f.Value.Prerequisites {
			out = append(out, flagNode(p.Flag))
		}
		for i := range f.Value.Rules {
			if e := f.Value.Rules[i].Experiment; e != "" {
				out = append(out, trialNode(e))
			}
		}
		return out
	}
	e := g.trials[n.key]
	for _, p := range e.Value.Prerequisites {
		if p.Flag != "" {
			out = append(out, flagNode(p.Flag))
		} else {
			out = append(out, trialNode(p.Experiment))
		}
	}
	return out
}

// circular says whether something waits for itself, at whatever distance.
func (g *graph) circular(start node) bool { return g.reaches(start, start) }

// Needs says whether the value of a flag waits for an experiment, at whatever distance.
// An experiment that asked for the flag would wait for itself.
func (s *Service) Needs(flag, experiment string) bool {
	g := graph{s.flags.Snapshot(), s.trials.Definitions().Snapshot()}
	return g.reaches(flagNode(flag), trialNode(experiment))
}

// reaches says whether something waits for a goal, at whatever distance.
func (g *graph) reaches(start, goal node) bool {
	seen := make(map[node]bool)
	waiting := g.next(start)
	for len(waiting) > 0 {
		n := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if n == goal {
			return true
		}
		if !seen[n] {
			seen[n] = true
			waiting = append(waiting, g.next(n)...)
		}
	}
	return false
}
