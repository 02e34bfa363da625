package experiments

import (
	"context"
	"errors"
	"math"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"quintet/experiments/stats"
	"quintet/internal/api"
	"quintet/internal/problem"
)

// PlanRequest describes an experiment before it starts, by the metric that it is
// planned for: arms of equal size, of which one is the control.
type PlanRequest struct {
	Mean         float64        `json:"mean" doc:"Of one person's value without treatment"`
	Variance     float64        `json:"variance" doc:"Of one person's value; of a proportion mean·(1−mean)"`
	Effect       float64        `json:"effect" minimum:"0.000001" maximum:"10" doc:"Relative effect that is to be seen: 0.05 for 5 % of the mean"`
	Arms         int            `json:"arms,omitempty" minimum:"2" maximum:"100" doc:"With the control; 2 unless given"`
	Method       AnalysisMethod `json:"method,omitempty" enum:"sequential,fixed,bayesian,group-sequential" doc:"sequential unless given"`
	Alpha        float64        `json:"alpha,omitempty" minimum:"0" maximum:"0.5" doc:"0.05 unless given"`
	Power        float64        `json:"power,omitempty" minimum:"0" maximum:"0.999" doc:"Chance of seeing the effect when it is there; 0.8 unless given"`
	Looks        int            `json:"looks,omitempty" minimum:"0" maximum:"50" doc:"Of a group-sequential plan; 5 unless given"`
	Prior        *Prior         `json:"prior,omitempty" doc:"Of a Bayesian plan; mean 0, sd 0.3 unless given"`
	PeoplePerDay float64        `json:"peoplePerDay,omitempty" minimum:"0" maximum:"1000000000" doc:"People who come into the experiment in a day, over all arms; without it there are no days"`
	Weeks        int            `json:"weeks,omitempty" minimum:"0" maximum:"52" doc:"Length of the outlook; 12 unless given"`
}

// PlanAnswer says how many people an experiment needs, and what it would see week
// by week.
type PlanAnswer struct {
	People  int64      `json:"people" doc:"Over all arms"`
	PerArm  int64      `json:"perArm"`
	NStar   int64      `json:"nStar" doc:"What analysis.nStar is to be for this plan"`
	Days    *int       `json:"days,omitempty" doc:"Until the people are there, at peoplePerDay"`
	Outlook []PlanWeek `json:"outlook" nullable:"false" doc:"Empty without peoplePerDay"`
}

// PlanWeek is the outlook of a plan at the end of a week.
type PlanWeek struct {
	Week          int      `json:"week"`
	People        int64    `json:"people" doc:"Over all arms, since the start"`
	Power         float64  `json:"power" doc:"Chance of having seen the effect by then; of a sequential plan with a look in each week"`
	MinimumEffect *float64 `json:"minimumEffect,omitempty" doc:"Smallest relative effect that is seen with the plan's power; absent where none is"`
}

const (
	defaultOutlook = 12
	daysPerWeek    = 7
)

func (r *PlanRequest) normalise() {
	if r.Arms == 0 {
		r.Arms = MinVariants
	}
	if r.Method == "" {
		r.Method = SequentialMethod
	}
	if r.Alpha == 0 {
		r.Alpha = defaultAlpha
	}
	if r.Power == 0 {
		r.Power = stats.DefaultPower
	}
	if r.Looks == 0 {
		r.Looks = defaultLooks
	}
	if r.Prior == nil {
		r.Prior = &Prior{SD: defaultPriorSD}
	}
	if r.Weeks == 0 {
		r.Weeks = defaultOutlook
	}
}

// PlanFor works out the plan of an experiment. What cannot be planned is a
// [problem.Invalid] that says why.
func PlanFor(r PlanRequest) (*PlanAnswer, error) {
	r.normalise()
	p := stats.Plan{Mean: r.Mean, Variance: r.Variance, Effect: r.Effect, Arms: r.Arms, Alpha: r.Alpha, Power: r.Power}
	if r.Method == BayesianMethod {
		p.Prior = &stats.NormalPrior{Mean: r.Prior.Mean, StandardDeviation: r.Prior.SD}
	}
	people, err := r.people(p)
	if err != nil {
		return nil, refusedPlan(err)
	}
	out := &PlanAnswer{People: people, PerArm: people / int64(r.Arms), NStar: max(people, MinVariants), Outlook: []PlanWeek{}}
	if r.PeoplePerDay > 0 {
		days := int(math.Ceil(float64(people) / r.PeoplePerDay))
		out.Days = &days
		if out.Outlook, err = r.outlook(p, people); err != nil {
			return nil, refusedPlan(err)
		}
	}
	return out, nil
}

// people is how many the plan needs over all arms.
func (r *PlanRequest) people(p stats.Plan) (int64, error) {
	switch r.Method {
	case SequentialMethod:
		// The band is tightest at N*, and there it has the plan's power.
		pair, err := p.SequenceTuning()
		if err != nil {
			return 0, err
		}
		return int64(math.Ceil(pair/2)) * int64(r.Arms), nil
	case GroupSequentialMethod:
		return r.groupPeople(p)
	}
	return p.SampleSize()
}

// groupPeople searches the size at which the looks together have the power: a
// little more than a single look needs.
func (r *PlanRequest) groupPeople(p stats.Plan) (int64, error) {
	single, err := p.SampleSize()
	if err != nil {
		return 0, err
	}
	d := stats.GroupDesign{Alpha: r.Alpha, Looks: make([]float64, r.Looks)}
	for i := range d.Looks {
		d.Looks[i] = float64(i+1) / float64(r.Looks)
	}
	// The drift of the single look, from its power: it grows with the root of people.
	drift := driftOf(p, float64(single))
	low, high := 1.0, 2.0
	for high-low > 1e-4 {
		mid := (low + high) / 2
		power, err := d.Power(drift * math.Sqrt(mid))
		if err != nil {
			return 0, err
		}
		if power < r.Power {
			low = mid
		} else {
			high = mid
		}
	}
	return int64(math.Ceil(float64(single)*high/float64(r.Arms))) * int64(r.Arms), nil
}

// driftOf is the plan's effect in standard errors with so many people over all arms.
func driftOf(p stats.Plan, people float64) float64 {
	perArm := people / float64(p.Arms)
	relative := p.Variance / perArm / (p.Mean * p.Mean)
	return p.Effect / math.Sqrt(relative*(1+(1+p.Effect)*(1+p.Effect)))
}

// outlook follows the plan over weeks.
func (r *PlanRequest) outlook(p stats.Plan, people int64) ([]PlanWeek, error) {
	if r.Method == SequentialMethod {
		p.Tuning = 2 * float64(people) / float64(r.Arms)
	}
	weeks, _, err := p.Weeks(r.PeoplePerDay*daysPerWeek, r.Weeks)
	if err != nil {
		return nil, err
	}
	out := make([]PlanWeek, len(weeks))
	for i, w := range weeks {
		out[i] = PlanWeek{Week: w.Week, People: int64(math.Round(w.Units)), Power: w.Power}
		if w.Detectable {
			out[i].MinimumEffect = &w.MinimumEffect
		}
		if r.Method == SequentialMethod {
			if out[i].Power, err = p.PowerWatched(w.Units, w.Week); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// refusedPlan turns what the statistics refuse into a refusal of the field.
func refusedPlan(err error) error {
	var p *stats.Problem
	if !errors.As(err, &p) {
		return err
	}
	field := "body"
	if p.Subject != "" {
		field += "." + p.Subject
	}
	return problem.Invalid{{Field: field, Rule: p.Detail}}
}

func (s *Service) planningRoute(a huma.API) {
	op := huma.Operation{
		OperationID: "plan-experiment", Method: http.MethodPost, Path: "/v1/experiment-plan", Tags: []string{"Experiments"},
		Summary:     "Plan an experiment: people, days and power",
		Description: "Nothing is stored. Formulas are those of GrowthBook's power calculator; a sequential plan has its power at N*, where its band is tightest.",
		Errors:      []int{400, 401, 403, 422}, MaxBodyBytes: 8 << 10,
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(a, op, func(_ context.Context, in *struct{ Body PlanRequest }) (*struct{ Body *PlanAnswer }, error) {
		answer, err := PlanFor(in.Body)
		if err != nil {
			return nil, err
		}
		return &struct{ Body *PlanAnswer }{answer}, nil
	})
}
