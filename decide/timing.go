package decide

import (
	"slices"
	"time"

	"quintet/internal/problem"
	"quintet/models/bandits"
)

// Ways to choose the moment.
const (
	timingNow    = "now"
	timingSpread = "spread"
)

// heldAtMost is how long quiet hours may put off a contact that is to be made now.
const heldAtMost = 24 * time.Hour

// Timing says when the channel is used. What only shows something, and sends nothing, is
// always used now.
type Timing struct {
	Mode        string   `json:"mode" doc:"now: as it is decided, or as quiet hours end; spread: at one of the hours ahead, drawn with known probabilities" enum:"now,spread"`
	WithinHours int      `json:"withinHours,omitempty" doc:"How far ahead an hour may be; 24 unless set" minimum:"0" maximum:"168"`
	Exploration *float64 `json:"exploration,omitempty" doc:"Share that is drawn evenly from all hours where a model knows better ones; 0.1 unless set"`
}

func (t *Timing) validate(bad *problem.Invalid) {
	if t == nil {
		return
	}
	if t.Mode != timingNow && t.Mode != timingSpread {
		bad.Add("when.mode", "must be now or spread", t.Mode)
	}
	if t.WithinHours == 0 {
		t.WithinHours = 24
	}
	if t.WithinHours < 1 || t.WithinHours > 168 {
		bad.Add("when.withinHours", "must be from 1 to 168", t.WithinHours)
	}
	if t.Exploration == nil {
		t.Exploration = new(0.1)
	}
	if !(*t.Exploration >= 0.01 && *t.Exploration <= 1) {
		bad.Add("when.exploration", "must be between 0.01 and 1", nil)
	}
}

// SendTimes compares moments at which a person could be sent something.
type SendTimes interface {
	// Weights writes how good each of the moments is, in any unit, none below 0; zone is
	// where the person is, nil when that is not known. It gives false, and the moments
	// are then alike, when nothing is known.
	Weights(profileID, channel string, zone *time.Location, moments []time.Time, weights []float64) bool
}

// holds is how far ahead of the decision a contact may be made.
func (p *point) holds() time.Duration {
	if t := p.def.When; t != nil && t.Mode == timingSpread {
		return max(heldAtMost, time.Duration(t.WithinHours)*time.Hour)
	}
	return heldAtMost
}

// schedule writes the moments of which that of sending is drawn, with their
// probabilities; none when it is now.
func (s *Service) schedule(p *point, rec *Record, sc *scratch) {
	q := &sc.permits
	timing := p.def.When
	spread := timing != nil && timing.Mode == timingSpread
	if rec.Channel == "" || q.limits == nil && !spread {
		return
	}
	a := &p.actions[p.byID[rec.Action]]
	if a.channel == nil {
		return
	}
	first := rec.DecidedAt
	if q.limits != nil {
		if len(q.limits.caps) > 0 {
			rec.Tags = a.tags()
		}
		// Asked again, as the last answer may be about another action.
		q.last = permit{}
		if permit := s.permits(p, a, rec, q); permit.rule == "" {
			first = permit.at
		}
	}
	if !spread || a.channel.addresses() == "" {
		if first.After(rec.DecidedAt) {
			rec.Slots, rec.SlotProbabilities = append(rec.Slots, first), append(rec.SlotProbabilities, 1)
		}
		return
	}
	rec.Slots = append(rec.Slots, first)
	for end, at := rec.DecidedAt.Add(time.Duration(timing.WithinHours)*time.Hour), first.Truncate(time.Hour).Add(time.Hour); at.Before(end); at = at.Add(time.Hour) {
		if q.limits == nil || q.open(p, a, rec, at) {
			rec.Slots = append(rec.Slots, at)
		}
	}
	n := len(rec.Slots)
	rec.SlotProbabilities = slices.Grow(rec.SlotProbabilities, n)[:n]
	even, sum := 1/float64(n), 0.0
	if s.sendTimes != nil && s.sendTimes.Weights(rec.ProfileID, rec.Channel, q.zone, rec.Slots, rec.SlotProbabilities) {
		for _, w := range rec.SlotProbabilities {
			sum += w
		}
	}
	for i, w := range rec.SlotProbabilities {
		rec.SlotProbabilities[i] = even
		if sum > 0 {
			rec.SlotProbabilities[i] = *timing.Exploration*even + (1-*timing.Exploration)*w/sum
		}
	}
}

// drawMoment draws that of sending from those of the record. It depends on nothing but
// the record.
func drawMoment(p *point, rec *Record) {
	if len(rec.Slots) == 0 {
		return
	}
	d := bandits.Distribution{Q: rec.SlotProbabilities}
	i, _ := d.Draw(bandits.Uniform(rec.DecisionID, p.key, "when"))
	if i < 0 {
		i = 0
	}
	rec.SendAt, rec.Propensities.When = rec.Slots[i], rec.SlotProbabilities[i]
}
