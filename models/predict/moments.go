package predict

import (
	"context"
	"math"
	"time"

	"quintet/models/sendtime"
)

// sendTimes is what decisions read of the champions of send time; it is replaced as a
// whole.
type sendTimes struct {
	byChannel map[string]*channelTimes // "" is of all channels
}

type channelTimes struct {
	attribute string // where the shape of a person's day is
	relative  [sendtime.Slots]float64
}

// eagerness is how strongly better moments are preferred: one that is answered half as
// often weighs e^-4 as much.
const eagerness = 8

// Shapes of a day are texts of 24 letters, one per hour: a for none of the best hour's
// rate, z for all of it. A list of numbers would take 25 times the memory.
const shapeLevels = 25

func shapeOf(hours *[24]float64) string {
	best := 0.0
	for _, p := range hours {
		best = math.Max(best, p)
	}
	shape := make([]byte, 24)
	for h, p := range hours {
		shape[h] = 'a'
		if best > 0 {
			shape[h] += byte(math.Round(shapeLevels * p / best))
		}
	}
	return string(shape)
}

// refreshSendTimes loads the champions of send time for decisions.
func (s *Service) refreshSendTimes(ctx context.Context) error {
	next := &sendTimes{byChannel: map[string]*channelTimes{}}
	for _, d := range s.specs.List("", maxModels) {
		spec := d.Value
		spec.fill()
		if spec.Family != SendTime {
			continue
		}
		champion, err := s.champion(ctx, d.Key)
		if err != nil {
			return err
		}
		if champion == nil || champion.sendtime == nil {
			continue
		}
		c := &channelTimes{attribute: spec.Attribute + "Shape"}
		best := 0.0
		for _, p := range champion.sendtime.Global {
			best = math.Max(best, p)
		}
		for slot, p := range champion.sendtime.Global {
			c.relative[slot] = p / best
		}
		next.byChannel[spec.Channel] = c
	}
	s.times.Store(next)
	return nil
}

// Weights writes how good each moment is for sending to a person over a channel, from
// memory alone: by the shape of the person's own day, which attribute gives by name, or
// by everybody's week where there is none. It gives false when no model knows anything.
func (s *Service) Weights(attribute func(name string) (string, bool), channel string, zone *time.Location, moments []time.Time, weights []float64) bool {
	times := s.times.Load()
	if times == nil {
		return false
	}
	c := times.byChannel[channel]
	if c == nil {
		c = times.byChannel[""]
	}
	if c == nil {
		return false
	}
	if zone == nil {
		zone = time.UTC
	}
	shape, known := attribute(c.attribute)
	known = known && len(shape) == 24
	for i, at := range moments {
		relative := 0.0
		if known {
			relative = float64(shape[at.In(zone).Hour()]-'a') / shapeLevels
		} else {
			relative = c.relative[sendtime.SlotOf(at, zone)]
		}
		weights[i] = math.Exp(eagerness * (min(max(relative, 0), 1) - 1))
	}
	return true
}
