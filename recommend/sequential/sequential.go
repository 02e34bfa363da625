// Package sequential recommends the next item from the last ones: for each item, what
// people did soon after it.
package sequential

import (
	"context"
	"fmt"
	"math"

	"quintet/recommend/interactions"
	"quintet/recommend/modelfile"
	"quintet/recommend/neighbours"
	"quintet/recommend/scoring"
)

// Kind names the method.
const Kind = "sequential"

// Settings of the model.
type Settings struct {
	// Window is how many events later an item still follows another (5). The n-th
	// later counts 1/n.
	Window int `json:"window"`
	// Pause is after how many seconds without an event nothing follows any more
	// (86,400).
	Pause int64 `json:"pause"`
	// HalfLife is after how many seconds what followed counts half; in full when 0.
	HalfLife float64 `json:"halfLife,omitempty"`
	// Now is the moment as of which it is old.
	Now int64 `json:"now,omitempty"`
	// Shrinkage is how much must have followed for half of a share to be believed (5).
	Shrinkage float64 `json:"shrinkage"`
	// Neighbours is how many followers are kept of each item (50).
	Neighbours int `json:"neighbours"`
	// History is how many of the last events speak, the n-th last with 1/n (5).
	History int `json:"history"`
}

func (s Settings) withDefaults() Settings {
	for _, f := range []struct {
		field *int
		value int
	}{{&s.Window, 5}, {&s.Neighbours, 50}, {&s.History, 5}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if s.Pause == 0 {
		s.Pause = 86_400
	}
	if s.Shrinkage == 0 {
		s.Shrinkage = 5
	}
	return s
}

// Validate says what is wrong with settings.
func (s Settings) Validate() error {
	s = s.withDefaults()
	if s.Window < 1 || s.Window > 100 || s.History < 1 || s.History > 1000 || s.Neighbours < 1 || s.Neighbours > 1000 {
		return fmt.Errorf("window must be 1 to 100, history and neighbours 1 to 1000, got %d, %d and %d", s.Window, s.History, s.Neighbours)
	}
	if s.Pause < 0 || !(s.HalfLife >= 0) || math.IsInf(s.HalfLife, 0) || !(s.Shrinkage >= 0) || math.IsInf(s.Shrinkage, 0) {
		return fmt.Errorf("pause, half-life and shrinkage must be at least 0, got %d, %v and %v", s.Pause, s.HalfLife, s.Shrinkage)
	}
	return nil
}

// Model has for each item what follows it: with f the followers' counts, weighted as
// the settings say, the value of b after a is f_ab / (Σ_b f_ab + shrinkage). It does
// not change.
type Model struct {
	*neighbours.Table
	settings Settings
}

var (
	_ scoring.Model     = (*Model)(nil)
	_ scoring.Similar   = (*Model)(nil)
	_ scoring.Explainer = (*Model)(nil)
)

// Train counts what follows what. An item that follows itself is passed over.
func Train(ctx context.Context, l *interactions.Log, settings Settings) (*Model, error) {
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("settings of the sequential model: %w", err)
	}
	settings = settings.withDefaults()
	follow := make([]map[int32]float32, l.Items().Len())
	for p := range l.People().Len() {
		if p%1024 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("counting what follows: %w", ctx.Err())
		}
		events := l.Events(p)
		for i, e := range events {
			age := 1.0
			if settings.HalfLife > 0 {
				age = math.Exp2(-float64(max(0, settings.Now-e.At)) / settings.HalfLife)
			}
			for n := 1; n <= settings.Window && i+n < len(events); n++ {
				next := events[i+n]
				if next.At-events[i+n-1].At > settings.Pause {
					break
				}
				if next.Item == e.Item {
					continue
				}
				if follow[e.Item] == nil {
					follow[e.Item] = make(map[int32]float32)
				}
				follow[e.Item][next.Item] += float32(age / float64(n))
			}
		}
	}
	rows := make([][]scoring.Scored, len(follow))
	for item, followers := range follow {
		total := settings.Shrinkage
		for _, f := range followers {
			total += float64(f)
		}
		for other, f := range followers {
			rows[item] = append(rows[item], scoring.Scored{Item: other, Score: float32(float64(f) / total)})
		}
	}
	return &Model{neighbours.NewTable(rows, settings.Neighbours), settings}, nil
}

// Kind is "sequential".
func (m *Model) Kind() string { return Kind }

// entries are the last events of a history, the last with the most weight.
func (m *Model) entries(history []interactions.Event) []interactions.Entry {
	var out []interactions.Entry
	for n := 1; n <= min(m.settings.History, len(history)); n++ {
		out = append(out, interactions.Entry{Item: history[len(history)-n].Item, Weight: 1 / float32(n)})
	}
	return out
}

// Score adds up what follows the last events.
func (m *Model) Score(history []interactions.Event, scores []float32) {
	m.Add(m.entries(history), scores)
}

// Explain gives the last items that an item follows most.
func (m *Model) Explain(history []interactions.Event, item int32, n int) []scoring.Reason {
	return m.Reasons(m.entries(history), item, n)
}

// Encode gives the model as bytes.
func (m *Model) Encode() []byte {
	w := modelfile.NewWriter(Kind, m.settings)
	m.Write(w)
	return w.Finish()
}

// Decode makes a model from what Encode gave.
func Decode(r *modelfile.Reader) (*Model, error) {
	m := new(Model)
	r.Settings(&m.settings)
	table, err := neighbours.ReadTable(r)
	if err != nil {
		return nil, fmt.Errorf("reading the sequential model: %w", err)
	}
	m.Table = table
	return m, nil
}
