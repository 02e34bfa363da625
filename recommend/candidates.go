package recommend

import (
	"slices"
	"strings"
	"sync"
	"time"

	"quintet/recommend/baskets"
	"quintet/recommend/interactions"
	"quintet/recommend/scoring"
)

// Sources of candidates, which are the reasons that people are shown.
const (
	reasonTaste    = "for-you"
	reasonNext     = "next"
	reasonAlike    = "also-bought"
	reasonTogether = "bought-with"
	reasonContent  = "similar"
	reasonTrending = "trending"
	reasonPopular  = "popular"
	reasonFresh    = "new"
	reasonPinned   = "pinned"
)

// candidate is an item that some source named.
type candidate struct {
	key    string
	number int32 // in the vocabulary of the build; Unknown for an item that came later
	item   *Item
	score  float64
	reason string
	parts  map[string]float64 // what each source added
	lead   float64            // the largest of them, whose source is the reason
	value  float64            // what it is ranked by
}

// fusion is the constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009):
// scores of different sources do not compare, ranks do.
const fusion = 60

// pool gathers candidates of several sources.
type pool struct {
	byKey map[string]*candidate
	list  []*candidate
}

func (p *pool) add(key string, number int32, item *Item, source string, weight float64, rank int) {
	c := p.byKey[key]
	if c == nil {
		c = &candidate{key: key, number: number, item: item, parts: make(map[string]float64, 4)}
		p.byKey[key] = c
		p.list = append(p.list, c)
	}
	part := weight / (fusion + float64(rank+1))
	c.score += part
	c.parts[source] += part
	if c.parts[source] > c.lead {
		c.lead, c.reason = c.parts[source], source
	}
}

// shows says whether an item can be shown in the place now.
func (g *gathering) shows(item *Item) bool {
	return g.placement.shows(item) && g.s.offered(item, g.now)
}

// gathering is the memory of one request.
type gathering struct {
	s         *Service
	snap      *snapshot
	now       time.Time
	placement *Placement
	allowed   scoring.Set
	most      int // candidates of each source
	pool      pool
	items     map[string]bool // of the request: not candidates themselves
}

// from takes the best of a model.
func (g *gathering) from(name, source string, weight float64, history []interactions.Event) {
	m := g.snap.model(name)
	if m == nil {
		return
	}
	g.take(scoring.Recommend(m, history, g.allowed, g.most, nil, nil), source, weight)
}

func (g *gathering) take(list []scoring.Scored, source string, weight float64) {
	rank := 0
	for _, scored := range list {
		key := g.snap.bundle.Items.ID(scored.Item)
		v, ok := g.s.items.Get(key)
		if !ok || g.items[key] {
			continue
		}
		g.pool.add(key, scored.Item, &v.Value, source, weight, rank)
		rank++
	}
}

// besides takes what goes with one item.
func (g *gathering) besides(key string, weight float64) {
	if g.snap == nil {
		return
	}
	number := g.snap.bundle.Items.Number(key)
	if number == interactions.Unknown {
		return
	}
	if m, ok := g.snap.model(modelBaskets).(*baskets.Model); ok {
		g.take(m.Similar(number, g.allowed, g.most, nil), reasonTogether, weight)
		if g.placement.Kind == Cart {
			g.take(m.Complements(number, g.allowed, g.most, nil), reasonTogether, weight)
		}
	}
	type similar interface {
		Similar(item int32, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored
	}
	if m, ok := g.snap.model(modelAlike).(similar); ok {
		g.take(m.Similar(number, g.allowed, g.most, nil), reasonAlike, weight)
	}
	if m, ok := g.snap.model(modelContent).(similar); ok && g.placement.Kind == Product {
		g.take(m.Similar(number, g.allowed, g.most, nil), reasonContent, 0.5*weight)
	}
}

// latest takes items that came into the catalogue after the build, those of the
// categories that the person looked at first: no model knows them yet.
func (g *gathering) latest(history []did, weight float64) {
	liked := map[string]bool{}
	for _, d := range history {
		if v, ok := g.s.items.Get(d.item); ok && v.Value.Category != "" {
			liked[v.Value.Category] = true
		}
	}
	rank := 0
	for _, of := range []bool{true, false} {
		for _, key := range *g.s.fresh.Load() {
			if rank >= g.most {
				return
			}
			v, ok := g.s.items.Get(key)
			if !ok || g.items[key] || liked[v.Value.Category] != of || !g.shows(&v.Value) {
				continue
			}
			if g.snap != nil && g.snap.bundle.Items.Number(key) != interactions.Unknown {
				continue
			}
			w := weight
			if !of {
				w /= 4
			}
			g.pool.add(key, interactions.Unknown, &v.Value, reasonFresh, w, rank)
			rank++
		}
	}
}

// maxFresh bounds the newest items of the catalogue that are remembered.
const maxFresh = 500

// catalogueChanged notes the newest items, and has what may be shown worked out anew.
func (s *Service) catalogueChanged() {
	items := s.items.Snapshot()
	type created struct {
		key string
		at  int64
	}
	list := make([]created, 0, len(items))
	for key, v := range items {
		list = append(list, created{key, v.CreatedAt.UnixNano()})
	}
	slices.SortFunc(list, func(a, b created) int {
		if a.at != b.at {
			return int(min(1, max(-1, b.at-a.at)))
		}
		return strings.Compare(a.key, b.key)
	})
	keys := make([]string, 0, min(len(list), maxFresh))
	for _, c := range list[:min(len(list), maxFresh)] {
		keys = append(keys, c.key)
	}
	s.fresh.Store(&keys)
	s.allowed.clear()
}

// allowedSets remembers what each placement may show, until the catalogue, the
// placements or the build change.
type allowedSets struct {
	mu   sync.Mutex
	sets map[string]allowedSet
	made uint64 // rises with every clear
}

// allowedSet is what a placement may show of a build, until a window of an item opens or
// closes.
type allowedSet struct {
	of    *snapshot
	set   scoring.Set
	until time.Time
}

func (a *allowedSets) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sets = nil
	a.made++
}

func (a *allowedSets) get(key string) (allowedSet, uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sets[key], a.made
}

// put keeps a set, unless something changed while it was made.
func (a *allowedSets) put(key string, set allowedSet, made uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.made != made {
		return
	}
	if a.sets == nil {
		a.sets = make(map[string]allowedSet)
	}
	a.sets[key] = set
}

// allowedBy is the set of the build's items that the placement may show.
func (s *Service) allowedBy(key string, p *Placement, snap *snapshot, now time.Time) scoring.Set {
	if snap == nil {
		return nil
	}
	known, made := s.allowed.get(key)
	if known.of == snap && now.Before(known.until) {
		return known.set
	}
	set, until := scoring.NewSet(snap.bundle.Items.Len()), now.AddDate(1, 0, 0)
	items := s.items.Snapshot()
	for n, id := range snap.bundle.Items.IDs() {
		v, ok := items[id]
		if !ok {
			continue
		}
		if p.shows(&v.Value) && s.offered(&v.Value, now) {
			set.Add(int32(n))
		}
		for _, at := range []*time.Time{v.Value.AvailableFrom, v.Value.AvailableUntil} {
			if at != nil && at.After(now) && at.Before(until) {
				until = *at
			}
		}
	}
	s.allowed.put(key, allowedSet{snap, set, until}, made)
	return set
}
