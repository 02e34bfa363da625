package campaigns

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"quintet/decide"
	"quintet/decide/outbound"
	"quintet/experiments/stats"
	"quintet/internal/problem"
)

const (
	maxSample   = 5000
	maxExamples = 20
	// dryRunTimeout bounds a dry run.
	dryRunTimeout = 50 * time.Second
)

// DryRun says what a campaign would do if it were due now, or a decision point that were
// asked about everybody of an audience. Nothing is decided, sent or reserved.
type DryRun struct {
	Audience int `json:"audience" doc:"People in the audience now"`
	Sample   int `json:"sample" doc:"People of them who were asked about"`
	// Outcomes and Actions are expected numbers in the audience: the probability of
	// each action, not one draw, scaled up from the sample.
	Outcomes []Share `json:"outcomes" nullable:"false" doc:"Expected number of people by outcome, in the whole audience"`
	Actions  []Share `json:"actions" nullable:"false" doc:"Expected number of people by action, in the whole audience"`
	Rules    []Share `json:"rules" nullable:"false" doc:"People of the audience from whom a rule takes at least one action, or everything"`
	Cost     float64 `json:"cost" doc:"Expected cost of contacts"`
	Value    float64 `json:"value" doc:"Expected value of contacts before costs: by the policy, else the value that their offers are taken to have; contacts of neither count nothing"`
	Valued   float64 `json:"valued" doc:"Expected number of contacts of which a value is known"`
	Power    *Power  `json:"power,omitempty" doc:"What the comparison with the people held out could show; absent where nobody is held out"`
	// Experiments are what is compared at the decision point.
	Experiments []Comparison `json:"experiments" nullable:"false" doc:"Experiments and groups of the decision point, with what they could show of these people"`
	Examples    []Example    `json:"examples" nullable:"false"`
}

// Share is a number of people under a name.
type Share struct {
	Name   string  `json:"name"`
	People float64 `json:"people"`
}

// Power is what can be seen of the effect on a conversion rate.
type Power struct {
	Treated  float64 `json:"treated" doc:"People whom the campaign may contact"`
	Held     float64 `json:"held" doc:"People held out"`
	Baseline float64 `json:"baseline" doc:"Conversion without the campaign that was assumed"`
	Effect   float64 `json:"effect,omitempty" doc:"Smallest relative lift that is found with a probability of 0.8 at a level of 0.05; absent where none is"`
	AtTenth  float64 `json:"powerAtTenPercent" doc:"Probability of finding a relative lift of 10 %"`
}

// Example is one person of the sample.
type Example struct {
	Person     string           `json:"person"`
	Action     string           `json:"action"`
	Outcome    outbound.Outcome `json:"outcome"`
	Reason     string           `json:"reason,omitempty"`
	SendAt     *time.Time       `json:"sendAt,omitempty"`
	Removed    []decide.Removal `json:"removed" nullable:"false"`
	Propensity float64          `json:"propensity"`
}

// DryRun previews a campaign on a sample of its audience, spread evenly over it.
// baseline is the conversion rate that the power is computed for.
func (s *Service) DryRun(ctx context.Context, key string, sample int, baseline float64) (*DryRun, error) {
	def, ok := s.campaigns.Get(key)
	if !ok {
		return nil, problem.NotFound("campaign", key)
	}
	return s.Try(ctx, &def.Value, "dry-run:"+key, sample, baseline)
}

// trial is what a dry run asks about everybody.
type trial struct {
	ask outbound.Ask // without the person
	// consent is the basis on which messages rest; nil where the decision point alone says
	// who may be contacted.
	consent *outbound.Consent
}

// Try is [Service.DryRun] of a campaign that need not be stored; it is expected to be
// valid.
func (s *Service) Try(ctx context.Context, c *Campaign, source string, sample int, baseline float64) (*DryRun, error) {
	return s.try(ctx, &c.Audience, &trial{ask: s.ask(source, "", c), consent: &c.Consent}, sample, baseline)
}

func (s *Service) try(ctx context.Context, audience *Audience, c *trial, sample int, baseline float64) (*DryRun, error) {
	ids, err := s.audience(ctx, audience)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids) // ids are hashes: their order says nothing about people
	out := &DryRun{Audience: len(ids), Outcomes: []Share{}, Actions: []Share{}, Rules: []Share{}, Experiments: []Comparison{}, Examples: []Example{}}
	picked := ids
	if sample = min(max(sample, 1), maxSample); len(ids) > sample {
		picked = make([]string, sample)
		for i := range picked {
			picked[i] = ids[i*len(ids)/sample]
		}
	}
	out.Sample = len(picked)
	if len(picked) == 0 {
		return out, nil
	}
	sum := newTally()
	errs := make([]error, len(picked))
	examples := make([]Example, len(picked))
	var wg sync.WaitGroup
	next := make(chan int)
	for range beside {
		wg.Go(func() {
			for i := range next {
				errs[i] = s.tryOne(ctx, c, picked[i], sum, &examples[i])
			}
		})
	}
	for i := range picked {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("previewing %d people: %w", len(picked), err)
	}
	scale := float64(len(ids)) / float64(len(picked))
	out.Outcomes, out.Actions, out.Rules = shares(sum.outcomes, scale), shares(sum.actions, scale), shares(sum.rules, scale)
	out.Value, out.Valued, out.Experiments = sum.value*scale, sum.valued*scale, sum.comparisons(scale, baseline)
	out.Cost, out.Examples = sum.cost*scale, examples[:min(len(examples), maxExamples)]
	held := sum.outcomes[string(outbound.OutcomeHoldout)] * scale
	out.Power = power(float64(len(ids))-held-sum.outcomes[string(outbound.OutcomeIneligible)]*scale, held, baseline)
	return out, nil
}

// tally sums up what several goroutines see.
type tally struct {
	mu                       sync.Mutex
	outcomes, actions, rules map[string]float64
	cost, value, valued      float64
	arms                     map[string]map[string]*Arm // by experiment and variant
}

func newTally() *tally {
	return &tally{outcomes: make(map[string]float64), actions: make(map[string]float64), rules: make(map[string]float64), arms: make(map[string]map[string]*Arm)}
}

func (s *Service) tryOne(ctx context.Context, c *trial, id string, sum *tally, example *Example) error {
	ask := c.ask
	ask.Person = id
	rec, view, rule, err := s.judge.Preview(ctx, ask)
	if err != nil {
		return err
	}
	*example = Example{Person: id, Removed: []decide.Removal{}}
	sum.mu.Lock()
	defer sum.mu.Unlock()
	if rec == nil {
		example.Outcome = outbound.OutcomeGone
		sum.outcomes[string(outbound.OutcomeGone)]++
		return nil
	}
	if c.consent == nil {
		rule = ""
	}
	sum.enrol(rec)
	rules := make(map[string]bool)
	for _, r := range rec.Removed {
		rules[r.Rule] = true
	}
	example.Action, example.Propensity = rec.Action, rec.Propensity
	example.Removed = append(example.Removed, rec.Removed...)
	switch {
	case !rec.Eligible:
		example.Outcome = outbound.OutcomeIneligible
		if rec.Group == decide.GroupHoldout {
			example.Outcome = outbound.OutcomeHoldout
		}
		sum.outcomes[string(example.Outcome)]++
		for _, reason := range rec.Reasons {
			example.Reason = cmp.Or(example.Reason, reason)
			rules[reason] = true
		}
	case rec.Action == decide.NoneAction:
		example.Outcome = outbound.OutcomeNobody
	case rule != "":
		example.Outcome, example.Reason = outbound.OutcomeNoConsent, rule
	default:
		example.Outcome = outbound.OutcomeQueued
		at := rec.SendAt
		if ask.Clock != "" {
			at = outbound.NextClock(at, ask.Clock, s.judge.Zone(view, ask.Zone))
		}
		example.SendAt = &at
	}
	if rec.Eligible {
		s.expect(rec, c, view.ID, sum, rules)
	}
	for r := range rules {
		sum.rules[r]++
	}
	return nil
}

// expect adds the probability of every action of a person, each with what would become
// of its message.
func (s *Service) expect(rec *decide.Record, c *trial, id string, sum *tally, rules map[string]bool) {
	stopped := make(map[string]string)
	for i, action := range rec.Candidates {
		p := rec.Probabilities[i]
		if p == 0 {
			continue
		}
		parts := strings.Split(action, "/")
		if len(parts) != 3 {
			sum.outcomes[string(outbound.OutcomeNobody)] += p
			sum.actions[action] += p
			continue
		}
		rule, known := stopped[parts[1]]
		if !known && c.consent != nil {
			rule = s.judge.Stops(id, parts[1], *c.consent)
			stopped[parts[1]] = rule
		}
		if rule != "" {
			sum.outcomes[string(outbound.OutcomeNoConsent)] += p
			rules[rule] = true
			continue
		}
		sum.outcomes[string(outbound.OutcomeQueued)] += p
		sum.actions[action] += p
		if channel, ok := s.decider.Channel(parts[1]); ok {
			sum.cost += p * channel.ContactCost
		}
		if value, ok := s.decider.Expected(rec, i); ok {
			sum.value += p * value
			sum.valued += p
		}
	}
}

// shares are the largest first.
func shares(of map[string]float64, scale float64) []Share {
	out := make([]Share, 0, len(of))
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if of[name] > 0 {
			out = append(out, Share{name, of[name] * scale})
		}
	}
	slices.SortStableFunc(out, func(a, b Share) int { return cmp.Compare(b.People, a.People) })
	return out
}

// power compares unequal groups as equal ones whose difference has the same variance:
// 4/(1/treated + 1/held) people in both together.
func power(treated, held, baseline float64) *Power {
	if treated < 1 || held < 1 || baseline <= 0 || baseline >= 1 {
		return nil
	}
	units := 4 / (1/treated + 1/held)
	at := func(effect float64) float64 {
		p, err := stats.Plan{Mean: baseline, Variance: baseline * (1 - baseline), Effect: effect, Absolute: true}.PowerAt(units)
		if err != nil {
			return 0
		}
		return p
	}
	low, high := 0.0, (1-baseline)/baseline
	if at(high) < stats.DefaultPower {
		return &Power{Treated: treated, Held: held, Baseline: baseline, AtTenth: at(0.1)}
	}
	for range 60 {
		if mid := (low + high) / 2; at(mid) < stats.DefaultPower {
			low = mid
		} else {
			high = mid
		}
	}
	return &Power{Treated: treated, Held: held, Baseline: baseline, Effect: high, AtTenth: at(0.1)}
}
