package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"quintet/decide"
	"quintet/models/bandits"
)

func newBenchBanditCommand(profile *string) *cobra.Command {
	return &cobra.Command{
		Use:   "bandit",
		Short: "Measure choosing and learning beside the arithmetic that they take",
		Long: `One core, without HTTP and stores. A decision is the scores of all actions, the
distribution of Thompson sampling over them, the floor, the uniform number of the
decision's id, the draw, and the record as it goes into the stream. An update adds one
decision with its reward to the posterior of an action. Beside both is a plain loop of
as many multiply-adds as the scores or the update take.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			stop, err := startProfile(*profile)
			if err != nil {
				return err
			}
			defer closing(stop, &err)
			fmt.Println("decisions                                    µs    allocations  decisions/s  multiply-adds  plain loop µs   ratio")
			for _, c := range []banditSize{
				{10, 64, 20}, {50, 64, 20}, {500, 256, 20},
				{2, 64, 20}, {5, 64, 20}, {20, 64, 20}, {100, 64, 20}, {200, 64, 20}, {500, 64, 20},
				{50, 64, 5}, {50, 64, 10}, {50, 64, 40}, {50, 64, 64}, {50, 256, 40}, {50, 1024, 40},
			} {
				if err := c.measureDecision(); err != nil {
					return err
				}
			}
			fmt.Println("\nupdates                                      µs    updates/s  multiply-adds  plain loop µs   ratio")
			for _, c := range []banditSize{{50, 64, 20}, {500, 256, 20}, {50, 64, 64}, {50, 1024, 20}} {
				if err := c.measureUpdate(); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// banditSize is a posterior: actions, features, and how many of these a decision has.
type banditSize struct{ actions, features, active int }

func (c banditSize) String() string {
	return fmt.Sprintf("%d actions x %d features, %d active", c.actions, c.features, c.active)
}

// vector has the intercept and one feature out of each of active-1 blocks, as one-hot
// encoding gives.
func (c banditSize) vector(rng *rand.Rand) bandits.Vector {
	v := bandits.Vector{Indices: []uint32{0}, Values: []float64{1}}
	block := (c.features - 1) / max(1, c.active-1)
	for i := range c.active - 1 {
		v.Indices = append(v.Indices, uint32(1+i*block+rng.IntN(block)))
		v.Values = append(v.Values, 1)
	}
	return v
}

// model has learned from some decisions with every action.
func (c banditSize) model(rng *rand.Rand) (*bandits.Model, []string, error) {
	b, err := bandits.NewBuilder(bandits.Options{Dimension: c.features}, 0)
	if err != nil {
		return nil, nil, err
	}
	actions := make([]string, c.actions)
	for i := range actions {
		actions[i] = fmt.Sprintf("offer-%03d/email/warm", i)
		tile := bandits.NewTile(actions[i], 0, c.features)
		for range 100 {
			reward := 0.0
			if rng.Float64() < .03+.002*float64(i%7) {
				reward = 1
			}
			tile.Observe(c.vector(rng), reward)
		}
		if err := b.Add(tile); err != nil {
			return nil, nil, err
		}
	}
	m, err := b.Build()
	return m, actions, err
}

func (c banditSize) measureDecision() error {
	rng := rand.New(rand.NewPCG(1, 2))
	m, actions, err := c.model(rng)
	if err != nil {
		return fmt.Errorf("building a posterior of %s: %w", c, err)
	}
	policy := bandits.Policy(bandits.Thompson{Model: m, Alpha: bandits.DefaultAlpha, Floor: .05})
	people := make([]bandits.Candidates, 64)
	for i := range people {
		people[i] = bandits.Candidates{Actions: actions, Features: c.vector(rng)}
	}
	rec := &decide.Record{DecisionID: "01JABCDEFGHJKMNPQRSTVWXYZ0", DecidedAt: time.Now(), Decision: "home-hero", PointVersion: 3, ProfileID: "01JABCDEFGHJKMNPQRSTVWXYZ1",
		Group: decide.GroupTreated, Eligible: true, Policy: decide.PolicyBandit, ModelVersion: 7, Candidates: actions}
	var w bandits.Workspace
	var data []byte
	n, failure := 0, error(nil)
	one := func() {
		person := &people[n%len(people)]
		n++
		d, err := policy.Distribution(*person, &w)
		if err != nil || d.Degenerate {
			failure = errors.Join(err, fmt.Errorf("degenerate: %t", d.Degenerate))
			return
		}
		rec.Draw = bandits.Uniform(rec.DecisionID, "salt", "action")
		k, propensity := d.Draw(rec.Draw)
		rec.Action, rec.Propensity, rec.Probabilities = actions[k], propensity, d.Q
		rec.FeatureIndex, rec.FeatureValue = person.Features.Indices, person.Features.Values
		if data, err = decide.AppendRecord(data[:0], rec); err != nil {
			failure = err
		}
	}
	took := perCall(one)
	if failure != nil {
		return fmt.Errorf("deciding among %s: %w", c, failure)
	}
	allocations := testing.AllocsPerRun(100, one)
	// A mean takes s multiply-adds for each action, a variance s(s+1)/2.
	adds := c.actions * (c.active + c.active*(c.active+1)/2)
	plain := plainLoop(adds)
	fmt.Printf("%-42s %6.2f  %9.0f  %12.0f  %11d  %12.2f  %6.1f\n", c, micro(took), allocations, float64(time.Second)/float64(took), adds, micro(plain), float64(took)/float64(plain))
	return nil
}

func (c banditSize) measureUpdate() error {
	rng := rand.New(rand.NewPCG(1, 2))
	m, actions, err := c.model(rng)
	if err != nil {
		return fmt.Errorf("building a posterior of %s: %w", c, err)
	}
	// As many as come in a second of a busy service, which makes one new version of them.
	updates := make([]bandits.Update, 1000)
	for i := range updates {
		updates[i] = bandits.Update{Action: actions[rng.IntN(len(actions))], Features: c.vector(rng), Weight: 1, Reward: float64(rng.IntN(2))}
	}
	var failure error
	took := perCall(func() {
		if _, err := m.Updated(updates); err != nil {
			failure = err
		}
	}) / time.Duration(len(updates))
	if failure != nil {
		return fmt.Errorf("updating a posterior of %s: %w", c, failure)
	}
	// Λ⁻¹φ takes sd multiply-adds, the matrix of rank one d(d+1)/2.
	adds := c.active*c.features + c.features*(c.features+1)/2
	plain := plainLoop(adds)
	fmt.Printf("%-42s %6.2f  %11.0f  %11d  %12.2f  %6.1f\n", c, micro(took), float64(time.Second)/float64(took), adds, micro(plain), float64(took)/float64(plain))
	return nil
}

// perCall is the median time of a call, in batches of some milliseconds.
func perCall(f func()) time.Duration {
	calls := 1
	for {
		started := time.Now()
		for range calls {
			f()
		}
		if time.Since(started) > 5*time.Millisecond {
			break
		}
		calls *= 2
	}
	times := make([]time.Duration, 21)
	for i := range times {
		started := time.Now()
		for range calls {
			f()
		}
		times[i] = time.Since(started) / time.Duration(calls)
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// plainLoop is the time of so many multiply-adds, one after the other over two lists.
func plainLoop(n int) time.Duration {
	x, y := make([]float64, n), make([]float64, n)
	for i := range x {
		x[i], y[i] = float64(i), 1/float64(i+1)
	}
	var sum float64
	took := perCall(func() {
		var s float64
		for i, v := range x {
			s += v * y[i]
		}
		sum += s
	})
	if sum < 0 {
		panic("a sum of positive products is negative") // the loop must not be left out
	}
	return took
}

func micro(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
