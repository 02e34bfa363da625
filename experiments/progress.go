package experiments

import (
	"fmt"
	"time"

	"quintet/experiments/stats"
)

// Progress is how far an experiment is for one effect.
type Progress struct {
	MinimumEffect float64  `json:"minimumEffect" doc:"Relative effect that the plan wants to see"`
	Power         float64  `json:"power" doc:"Chance that an effect of that size would be seen by now"`
	MoreUnits     *float64 `json:"moreUnits,omitempty" doc:"People that are missing in the two arms for a power of 80 %"`
	DaysLeft      *int     `json:"daysLeft,omitempty" doc:"Days until they are there, at the present pace; 0 when they are"`
	Detail        string   `json:"detail,omitempty" doc:"Why something is missing"`
}

// progress says how much longer it takes to see the plan's effect. Per day is the
// number of people that come into the two arms.
func (c *comparison) progress(e *Effect, goals, tests int, perDay float64) *Progress {
	if e.sample.relative == nil {
		return nil
	}
	m := stats.Midway{StandardError: e.sample.relative.StandardError, Units: e.sample.relative.N, Target: c.analysis.MinimumEffect,
		Alpha: c.analysis.Alpha, Goals: max(goals, 1), Tests: max(tests, 1)}
	switch c.analysis.Method {
	case SequentialMethod:
		m.Tuning = c.tuning
	case BayesianMethod:
		m.Prior, m.Tests = &stats.NormalPrior{Mean: c.analysis.Prior.Mean, StandardDeviation: c.analysis.Prior.SD}, 1
	}
	if c.analysis.Correction == NoCorrection {
		m.Tests = 1
	}
	p := &Progress{MinimumEffect: c.analysis.MinimumEffect}
	power, err := m.PowerAt(0)
	if err != nil {
		return nil
	}
	p.Power = power
	needed, err := m.Needed()
	if err != nil {
		p.Detail = sentence(err)
		return p
	}
	p.MoreUnits = known(needed.Units)
	days, err := stats.DaysLeft(needed.Units, perDay)
	if err != nil {
		p.Detail = sentence(err)
		return p
	}
	p.DaysLeft = &days
	return p
}

// Projection is what an effect comes to over a year, if everybody who is eligible
// had the variant. It takes people to come as like those measured, and a year as 365
// such days.
type Projection struct {
	PerYear    *Interval `json:"perYear,omitempty" doc:"In the metric's unit, against giving everybody the control"`
	PeopleADay float64   `json:"peopleADay" doc:"Eligible people a day that it rests on"`
	Detail     string    `json:"detail" doc:"What it rests on, or why there is none"`
}

const daysOfAYear = 365

// reach is how many people an experiment reaches and for how long it has.
type reach struct {
	days       float64
	allocation float64
}

// minimumReach is the time below which a day's traffic is not known.
const minimumReach = 24 * time.Hour

// project makes the decisive effect on a mean into its total over a year.
func (c *comparison) project(e *Effect, kind Kind, treated int64, r reach) *Projection {
	d := e.Decisive
	if d == nil || d.Absolute == nil || !kind.additive() {
		return nil
	}
	if r.days < minimumReach.Hours()/24 {
		return &Projection{Detail: "People have come for less than a day, so that those of a year are not known."}
	}
	share := float64(treated) / float64(c.people)
	effect := stats.Effect{Estimate: d.Absolute.Estimate, Lower: d.Absolute.Lower, Upper: d.Absolute.Upper, StandardError: d.Absolute.StandardError, N: c.people}
	impact, err := stats.Topline(effect, stats.Reach{Treated: treated, Days: r.days, Allocation: r.allocation, Share: share})
	if err != nil {
		return &Projection{Detail: sentence(err)}
	}
	year, err := impact.Projected.Times(daysOfAYear)
	if err != nil {
		return &Projection{Detail: sentence(err)}
	}
	perDay := float64(c.people) / r.days / r.allocation
	return &Projection{PerYear: interval(year), PeopleADay: perDay,
		Detail: fmt.Sprintf("%.0f eligible people a day, as in the %.3g days so far, for %d days.", perDay, r.days, daysOfAYear)}
}
