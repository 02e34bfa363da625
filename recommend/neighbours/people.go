package neighbours

import (
	"fmt"
	"math"
	"sync"

	"quintet/recommend/interactions"
	"quintet/recommend/scoring"
)

// PeopleSettings are those of likeness of people.
type PeopleSettings struct {
	// Neighbours is how many of the most similar people speak (100).
	Neighbours int
	// Shrinkage draws the cosine of people with few items to 0 (5).
	Shrinkage float64
	// Weighting makes the entries of everybody and of a history.
	Weighting interactions.Weighting
}

// People finds people who had the same items, and what else they had. It keeps
// everybody's entries in memory, unlike every other model here, and is not stored: it
// is made of the log in seconds.
type People struct {
	settings         PeopleSettings
	byPerson, byItem *interactions.Matrix
	length           []float32
	pool             sync.Pool
}

var _ scoring.Scorer = (*People)(nil)

// NewPeople prepares for finding similar people.
func NewPeople(l *interactions.Log, settings PeopleSettings) (*People, error) {
	if settings.Neighbours == 0 {
		settings.Neighbours = 100
	}
	if settings.Shrinkage == 0 {
		settings.Shrinkage = 5
	}
	if settings.Neighbours < 1 || !(settings.Shrinkage >= 0) || math.IsInf(settings.Shrinkage, 0) {
		return nil, fmt.Errorf("neighbours must be at least 1 and shrinkage at least 0, got %d and %v", settings.Neighbours, settings.Shrinkage)
	}
	m, err := l.Matrix(settings.Weighting)
	if err != nil {
		return nil, fmt.Errorf("comparing people: %w", err)
	}
	out := &People{settings: settings, byPerson: m, byItem: m.Transpose(), length: make([]float32, m.Rows())}
	for p := range m.Rows() {
		_, weights := m.Row(p)
		square := 0.0
		for _, w := range weights {
			square += float64(w) * float64(w)
		}
		out.length[p] = float32(math.Sqrt(square))
	}
	out.pool.New = func() any { return &comparing{sums: make([]float32, m.Rows())} }
	return out, nil
}

type comparing struct {
	sums    []float32
	touched []int32
	best    scoring.Best
	like    []scoring.Scored
}

// Items is how many items there are.
func (m *People) Items() int { return m.byPerson.Columns }

// Like appends the k people (by number in the log) who are most like somebody with
// this history, by shrunk cosine.
func (m *People) Like(history []interactions.Event, k int, dst []scoring.Scored) []scoring.Scored {
	c := m.pool.Get().(*comparing)
	defer m.pool.Put(c)
	return m.like(c, m.settings.Weighting.Entries(history, m.Items()), k, dst)
}

func (m *People) like(c *comparing, entries []interactions.Entry, k int, dst []scoring.Scored) []scoring.Scored {
	square := 0.0
	for _, e := range entries {
		square += float64(e.Weight) * float64(e.Weight)
		people, weights := m.byItem.Row(int(e.Item))
		for i, p := range people {
			if c.sums[p] == 0 {
				c.touched = append(c.touched, p)
			}
			c.sums[p] += e.Weight * weights[i]
		}
	}
	own := float32(math.Sqrt(square))
	c.best.Reset(k)
	for _, p := range c.touched {
		c.best.Offer(p, c.sums[p]/(own*m.length[p]+float32(m.settings.Shrinkage)))
		c.sums[p] = 0
	}
	c.touched = c.touched[:0]
	return c.best.Append(dst)
}

// Score is what similar people had, weighted by their likeness.
func (m *People) Score(history []interactions.Event, scores []float32) {
	c := m.pool.Get().(*comparing)
	defer m.pool.Put(c)
	none := float32(math.Inf(-1))
	for i := range scores {
		scores[i] = none
	}
	c.like = m.like(c, m.settings.Weighting.Entries(history, m.Items()), m.settings.Neighbours, c.like[:0])
	for _, person := range c.like {
		items, weights := m.byPerson.Row(int(person.Item))
		for i, item := range items {
			if scores[item] == none {
				scores[item] = 0
			}
			scores[item] += person.Score * weights[i]
		}
	}
}
