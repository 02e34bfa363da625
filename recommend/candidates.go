package recommend

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"quintet/recommend/baskets"
	"quintet/recommend/content"
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

// sources is how many reasons there are that sources give.
const sources = 8

// sourceNumber numbers them.
func sourceNumber(reason string) int {
	switch reason {
	case reasonTaste:
		return 0
	case reasonNext:
		return 1
	case reasonAlike:
		return 2
	case reasonTogether:
		return 3
	case reasonContent:
		return 4
	case reasonTrending:
		return 5
	case reasonPopular:
		return 6
	}
	return 7
}

// candidate is an item that some source named.
type candidate struct {
	key    string
	number int32 // in the vocabulary of the build; Unknown for an item that came later
	item   *Item
	score  float64
	reason string
	parts  [sources]float64 // what each source added
	told   [sources]told    // what each source said, for the ranker
	lead   float64          // the largest of them, whose source is the reason
	value  float64          // what it is ranked by
	chance float64          // that it is taken, by the ranker
	// supplier is whose item it is, once that was asked for.
	supplier      string
	supplierKnown bool
	// alike is the largest likeness to those of the first compared places.
	alike    float64
	compared int
}

// told is what a source said of a candidate.
type told struct {
	rank  int32   // from 1 on; 0 where the source did not name it
	score float32 // as the source gives it
	share float32 // of the best score of its list
}

// fusion is the constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009):
// scores of different sources do not compare, ranks do.
const fusion = 60

// pool gathers candidates of several sources. It is used again and again.
type pool struct {
	places []int32 // by number of the item: the place in list, plus 1
	byKey  map[string]*candidate
	list   []*candidate
	room   []candidate // that candidates are taken from
	scores []float32   // for models to score in
	order  []placing   // to sort by
	taste  taste       // for the ranker
	row    [columns + 1]float32
}

// pools keeps the memory of requests.
var pools = sync.Pool{New: func() any { return &pool{byKey: make(map[string]*candidate)} }}

// newPool is an empty pool for so many numbered items.
func newPool(items int) *pool {
	p := pools.Get().(*pool)
	if len(p.places) < items {
		p.places, p.scores = make([]int32, items), make([]float32, items)
	}
	return p
}

// release gives the memory back: nothing of it may be used any more.
func (p *pool) release() {
	// Only what was used: a catalogue has many more items than a list candidates.
	for i := range p.room {
		if n := p.room[i].number; n != interactions.Unknown {
			p.places[n] = 0
		}
	}
	clear(p.byKey)
	clear(p.list)
	clear(p.room)
	clear(p.order)
	p.list, p.room, p.order = p.list[:0], p.room[:0], p.order[:0]
	pools.Put(p)
}

// find is the candidate of an item, or nil.
func (p *pool) find(key string, number int32) *candidate {
	if number == interactions.Unknown {
		return p.byKey[key]
	}
	if at := p.places[number]; at > 0 {
		return &p.room[at-1]
	}
	return nil
}

func (p *pool) add(key string, number int32, item *Item, source string, weight float64, rank int) *candidate {
	c := p.find(key, number)
	if c == nil {
		if len(p.room) == cap(p.room) {
			p.grow()
		}
		p.room = append(p.room, candidate{key: key, number: number, item: item})
		c = &p.room[len(p.room)-1]
		if number == interactions.Unknown {
			p.byKey[key] = c
		} else {
			p.places[number] = int32(len(p.room))
		}
		p.list = append(p.list, c)
	}
	part := weight / (fusion + float64(rank+1))
	c.score += part
	n := sourceNumber(source)
	c.parts[n] += part
	if c.parts[n] > c.lead {
		c.lead, c.reason = c.parts[n], source
	}
	if t := &c.told[n]; t.rank == 0 || t.rank > int32(rank)+1 {
		t.rank = int32(rank) + 1
	}
	return c
}

// grow makes room for more candidates; those that there are move.
func (p *pool) grow() {
	room := make([]candidate, len(p.room), max(512, 2*cap(p.room)))
	copy(room, p.room)
	p.room = room
	for i := range p.list {
		// Candidates come into the list in the order of the room, and leave it only
		// when all are gathered.
		p.list[i] = &p.room[i]
		if c := p.list[i]; c.number == interactions.Unknown {
			p.byKey[c.key] = c
		}
	}
}

// placing is what a candidate is sorted by, side by side: to look each up again for every
// comparison took longer than the sorting.
type placing struct {
	value, score float64
	candidate    *candidate
}

// sort orders the candidates by a value, nil for the score alone, then by score, then by
// key, the largest first.
func (p *pool) sort(value func(*candidate) float64) {
	p.order = p.order[:0]
	sorted := true
	for i, c := range p.list {
		o := placing{score: c.score, candidate: c}
		if value != nil {
			o.value = value(c)
		}
		p.order = append(p.order, o)
		sorted = sorted && (i == 0 || byPlacing(p.order[i-1], o) <= 0)
	}
	if sorted {
		return
	}
	slices.SortFunc(p.order, byPlacing)
	for i := range p.order {
		p.list[i] = p.order[i].candidate
	}
}

func byPlacing(a, b placing) int {
	switch {
	case a.value != b.value:
		return cmp.Compare(b.value, a.value)
	case a.score != b.score:
		return cmp.Compare(b.score, a.score)
	}
	return strings.Compare(a.candidate.key, b.candidate.key)
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
	at        int64 // the moment of the request, in seconds since 1970
	placement *Placement
	allowedSet
	most   int // candidates of each source
	pool   *pool
	items  map[string]bool // of the request: not candidates themselves
	ranker *Ranker         // that gave the values, or nil
	texts  *content.Model  // of what items are like, or nil
	bought int             // candidates that were left out because the person bought them
	// explained are what tells why by model, each made when first asked for.
	explained map[string]func(item int32, n int) []scoring.Reason
}

// from takes the best of a model.
func (g *gathering) from(name, source string, weight float64, history []interactions.Event) {
	m := g.snap.model(name)
	if m == nil {
		return
	}
	if list, ok := g.same[name]; ok {
		g.take(list[:min(len(list), g.most+len(g.items))], source, weight)
		return
	}
	g.take(scoring.Recommend(m, history, g.set, g.most, nil, g.pool.scores[:m.Items()]), source, weight)
}

func (g *gathering) take(list []scoring.Scored, source string, weight float64) {
	rank, best := 0, float32(0)
	for _, scored := range list {
		item := g.known[scored.Item]
		if item == nil {
			continue
		}
		key := g.snap.bundle.Items.ID(scored.Item)
		if len(g.items) > 0 && g.items[key] {
			continue
		}
		t := &g.pool.add(key, scored.Item, item, source, weight, rank).told[sourceNumber(source)]
		if rank == 0 {
			best = scored.Score
		}
		t.score = max(t.score, scored.Score)
		if best > 0 {
			t.share = max(t.share, scored.Score/best)
		}
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
		g.take(m.Similar(number, g.set, g.most, nil), reasonTogether, weight)
		if g.placement.Kind == Cart {
			g.take(m.Complements(number, g.set, g.most, nil), reasonTogether, weight)
		}
	}
	type similar interface {
		Similar(item int32, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored
	}
	if m, ok := g.snap.model(modelAlike).(similar); ok {
		g.take(m.Similar(number, g.set, g.most, nil), reasonAlike, weight)
	}
	if m, ok := g.snap.model(modelContent).(similar); ok && g.placement.Kind == Product {
		g.take(m.Similar(number, g.set, g.most, nil), reasonContent, 0.5*weight)
	}
}

// latest takes items that came into the catalogue after the build, those of the
// categories that the person looked at first: no model knows them yet.
func (g *gathering) latest(history []did, weight float64) {
	if len(g.fresh) == 0 {
		return
	}
	liked := map[string]bool{}
	for _, d := range history {
		if v, ok := g.s.items.Get(d.item); ok && v.Value.Category != "" {
			liked[v.Value.Category] = true
		}
	}
	rank := 0
	for _, of := range []bool{true, false} {
		for _, c := range g.fresh {
			if rank >= g.most {
				return
			}
			if g.items[c.key] || liked[c.item.Category] != of || !g.shows(c.item) {
				continue
			}
			w := weight
			if !of {
				w /= 4
			}
			g.pool.add(c.key, interactions.Unknown, c.item, reasonFresh, w, rank)
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
	known []*Item                     // by number of the build; nil for what is not in the catalogue
	same  map[string][]scoring.Scored // what models recommend that are the same for everybody
	fresh []freshItem                 // that came after the build, newest first
	facts *itemFacts                  // of known, where a ranker needs them
}

// freshItem is an item that no model knows.
type freshItem struct {
	key  string
	item *Item
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
	if a.made != made || key == "" { // a draft has no key
		return
	}
	if a.sets == nil {
		a.sets = make(map[string]allowedSet)
	}
	a.sets[key] = set
}

// allowedBy is the set of the build's items that the placement may show.
func (s *Service) allowedBy(key string, p *Placement, snap *snapshot, now time.Time) allowedSet {
	if snap == nil {
		return allowedSet{fresh: s.freshItems(nil)}
	}
	known, made := s.allowed.get(key)
	if known.of == snap && now.Before(known.until) {
		return known
	}
	set, until := scoring.NewSet(snap.bundle.Items.Len()), now.AddDate(1, 0, 0)
	items := s.items.Snapshot()
	out := allowedSet{of: snap, set: set, known: make([]*Item, snap.bundle.Items.Len()), same: map[string][]scoring.Scored{}, fresh: s.freshItems(snap)}
	for n, id := range snap.bundle.Items.IDs() {
		v, ok := items[id]
		if !ok {
			continue
		}
		out.known[n] = &v.Value
		if p.shows(&v.Value) && s.offered(&v.Value, now) {
			set.Add(int32(n))
		}
		for _, at := range []*time.Time{v.Value.AvailableFrom, v.Value.AvailableUntil} {
			if at != nil && at.After(now) && at.Before(until) {
				until = *at
			}
		}
	}
	out.until = until
	out.facts = s.factsFor(snap, out.known)
	for _, name := range []string{modelPopular, modelTrending} {
		if m := snap.model(name); m != nil {
			out.same[name] = scoring.Recommend(m, nil, set, breadth*maxLimit+maxContext, nil, nil)
		}
	}
	s.allowed.put(key, out, made)
	return out
}

// freshItems are the newest items of the catalogue that a build does not know.
func (s *Service) freshItems(snap *snapshot) (out []freshItem) {
	for _, key := range *s.fresh.Load() {
		if snap != nil && snap.bundle.Items.Number(key) != interactions.Unknown {
			continue
		}
		if v, ok := s.items.Get(key); ok {
			out = append(out, freshItem{key, &v.Value})
		}
	}
	return out
}
