package decide

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"quintet/profiles"
)

// TestStagesAudit compares what a policy with stages of their own chooses with the
// probabilities that it logs: whole actions, the offers, the channels given the offer and
// the creatives given both. QUINTET_TEST_FULL=1 takes a million decisions of each policy.
func TestStagesAudit(t *testing.T) {
	t.Parallel()
	decisions := 4000
	switch {
	case os.Getenv("QUINTET_TEST_FULL") == "1":
		decisions = 1_000_000
	case testing.Short():
		decisions = 1000
	}
	known := table{}
	w := newWorld(t, worldOptions{change: func(d *Deps) { d.Effects = known }})
	for i := range 6 {
		w.person(i)
		known["lift "+profiles.NewID(profiles.Identifier{Namespace: "userId", Value: fmt.Sprint("u", i)})] = map[string]float64{"spring": .1 * float64(i), "summer": .3}
	}
	bandit := Policy{Type: PolicyBandit, Exploration: new(0.1)}
	rules := Policy{Type: PolicyRules, Exploration: new(0.2), Rules: []Rule{{When: []byte(`{"plan":"paid"}`), Actions: []string{"*/email/*"}}, {Actions: []string{"*/*/b"}}}}
	for name, policy := range map[string]Policy{
		"all at once":      bandit,
		"channel by rules": {Type: PolicyBandit, Exploration: new(0.1), Where: &rules},
		"creative by bandit": {
			Type: PolicyModel, Model: "lift", Exploration: new(0.3), Where: &Policy{Type: PolicyUniform}, How: &bandit,
		},
		"each by its own": {Type: PolicyUniform, Where: &bandit, How: &rules},
	} {
		key := "p-" + strings.ReplaceAll(name, " ", "-")
		w.put(t, key, hero(func(p *DecisionPoint) { p.Policy = policy }))
		if policy.learning() != nil {
			w.teach(t, key, 300)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			audits := map[string]*places{"actions": {}, "offers": {}, "channels": {}, "creatives": {}}
			surplus, variance := map[string]float64{}, map[string]float64{}
			random := rand.New(rand.NewPCG(5, 8))
			for range decisions {
				rec, err := w.Preview(t.Context(), &Request{Decision: key, User: map[string]string{"userId": fmt.Sprint("u", random.IntN(6))}, Context: map[string]any{"hour": float64(random.IntN(24))}}, "test")
				if err != nil {
					t.Fatal(err)
				}
				if !rec.Eligible {
					continue
				}
				for i, action := range rec.Candidates {
					surplus[action] -= rec.Probabilities[i]
					variance[action] += rec.Probabilities[i] * (1 - rec.Probabilities[i])
				}
				surplus[rec.Action]++
				// Each stage among what the stages before left.
				chosen := strings.Split(rec.Action+"//", "/")
				for depth, stage := range []string{"offers", "channels", "creatives"} {
					before, of, all := 0.0, 0.0, 0.0
					for i, action := range rec.Candidates {
						parts := strings.Split(action+"//", "/")
						if strings.Join(parts[:depth], "/") != strings.Join(chosen[:depth], "/") {
							continue
						}
						all += rec.Probabilities[i]
						switch {
						case parts[depth] == chosen[depth]:
							of += rec.Probabilities[i]
						case parts[depth] < chosen[depth]:
							before += rec.Probabilities[i]
						}
					}
					if of < all { // otherwise there was nothing to choose
						audits[stage].add((before + random.Float64()*of) / all)
					}
				}
				before := 0.0
				for i, action := range rec.Candidates {
					if action == rec.Action {
						audits["actions"].add(before + random.Float64()*rec.Probabilities[i])
						break
					}
					before += rec.Probabilities[i]
				}
			}
			for what, a := range audits {
				a.judge(t, what)
			}
			for action, s := range surplus {
				if v := variance[action]; s*s > 36*v+1 {
					t.Errorf("%s was chosen %+.0f times more than was logged, which varies by %.0f", action, s, math.Sqrt(v))
				}
			}
		})
	}
}

// places counts where choices lie in their distributions, from 0 to 1: anywhere alike,
// where the distributions are true.
type places struct {
	counts [20]float64
	n      float64
}

func (p *places) add(at float64) {
	p.counts[min(int(at*float64(len(p.counts))), len(p.counts)-1)]++
	p.n++
}

func (p *places) judge(t *testing.T, what string) {
	t.Helper()
	if p.n < 200 {
		t.Errorf("%s: only %g choices to judge", what, p.n)
		return
	}
	statistic, expected := 0.0, p.n/float64(len(p.counts))
	for _, c := range p.counts {
		statistic += (c - expected) * (c - expected) / expected
	}
	at := distuv.ChiSquared{K: float64(len(p.counts) - 1)}.Survival(statistic)
	t.Logf("%s: %g choices, chi-squared %.1f with %d degrees of freedom, p = %.4f", what, p.n, statistic, len(p.counts)-1, at)
	if !(at >= 1e-6) { // ids, and so draws, are others in each run
		t.Errorf("the %s do not follow the probabilities that were logged: p = %g", what, at)
	}
}
