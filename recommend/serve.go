package recommend

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"quintet/internal/problem"
	"quintet/recommend/content"
	"quintet/recommend/interactions"
	"quintet/recommend/scoring"
)

// Bounds of a request.
const (
	defaultLimit = 10
	maxLimit     = 200
	maxContext   = 200 // items of a request
	// breadth is how many candidates of each source there are for each item that is
	// asked for, with leastCandidates at least.
	breadth         = 5
	leastCandidates = 60
)

// Query asks for items.
type Query struct {
	// Person is the id of the person, empty for somebody of whom nothing is known.
	Person string
	// Items are the item of the page, what is in the cart, or what a search found.
	Items []string
	// Placement is its key, or a kind of placement.
	Placement string
	// Limit is how many items, 10 when 0.
	Limit int
	// Shown are items that the page has already.
	Shown []string
	// At is the moment; the service's clock when zero.
	At time.Time
	// ID decides what exploration draws; a new ULID when empty.
	ID string

	// Of a preview: rules in the place of those that are saved, and who looks at how the
	// list came about.
	draft *Placement
	look  func(g *gathering, list []placed)
}

// Recommended is one item of a list.
type Recommended struct {
	ID string `json:"id"`
	// Score orders the list: the probability, or with the goal margin the expected
	// profit, after the rules' factors.
	Score       float64  `json:"score" doc:"What the list is ordered by: the probability that the person takes the item, or with the goal margin probability times margin, after boosts"`
	Probability float64  `json:"probability" doc:"That the person takes the item, by the ranker, or as people took items of this rank; 0 where nothing is known yet"`
	Margin      float64  `json:"margin" doc:"Price less cost"`
	Reason      string   `json:"reason" doc:"for-you, next, also-bought, bought-with, similar, trending, popular, new or pinned"`
	Because     []string `json:"because,omitempty" doc:"Items of the person's history or of the request that speak most for it"`
	Propensity  float64  `json:"propensity" doc:"Probability with which the item was drawn for this place, given those before it; 1 without exploration"`
	Name        string   `json:"name"`
	Category    string   `json:"category,omitempty"`
	Price       float64  `json:"price,omitempty"`
	ImageURL    string   `json:"imageUrl,omitempty"`
}

// List is an answer.
type List struct {
	ID        string        `json:"recommendationId" doc:"ULID; the draws of exploration come from it"`
	Placement string        `json:"placement"`
	Version   int64         `json:"version,omitempty" doc:"Build that recommended; none where nothing has been learned yet"`
	Ranker    int64         `json:"ranker,omitempty" doc:"Version of the ranker that ordered it; none where the ranks that the sources gave did"`
	Personal  bool          `json:"personal" doc:"Whether anything that the person did was used"`
	Items     []Recommended `json:"items" nullable:"false"`
}

// placement is that of a key, or the one of the kind that the key is.
func (s *Service) placement(key string) (*Placement, error) {
	if key == "" {
		key = string(Home)
	}
	if v, ok := s.placements.Get(key); ok {
		return &v.Value, nil
	}
	if slices.Contains(placementKinds(), PlacementKind(key)) {
		p := &Placement{Kind: PlacementKind(key), Goal: ByRelevance}
		if p.Kind == Home || p.Kind == Email {
			p.Diversity = 0.2
		}
		return p, nil
	}
	return nil, problem.NotFound("placement", problem.Clip(key))
}

// Recommend ranks items. It reads memory only.
func (s *Service) Recommend(_ context.Context, q Query) (*List, error) {
	p, err := s.checkQuery(&q)
	if err != nil {
		return nil, err
	}
	snap, now := s.current.Load(), s.now()
	past := s.histories.of(q.Person)
	if q.Person == "" {
		past = nil
	}
	list := &List{ID: q.ID, Placement: q.Placement, Personal: len(past) > 0, Items: []Recommended{}}
	g := &gathering{s: s, snap: snap, placement: p, now: now, at: q.At.Unix(), allowedSet: s.allowedBy(q.Placement, p, snap, now), most: max(leastCandidates, breadth*q.Limit),
		items: make(map[string]bool)}
	g.texts, _ = snap.model(modelContent).(*content.Model)
	g.pool = newPool(len(g.known))
	defer g.pool.release()
	if p.Kind != Search {
		for _, key := range append(slices.Clone(q.Items), q.Shown...) {
			g.items[key] = true
		}
	}
	var history []interactions.Event
	if snap != nil {
		list.Version = snap.version.Version
		history = events(past, snap.bundle.Items)
	}
	g.gather(q.Items, past, history)
	g.exclude(past, q.At)
	g.rank(history)
	if g.ranker != nil {
		list.Ranker = g.ranker.Version
	}
	ranked := g.arrange(q.Limit, q.ID)
	if q.look != nil {
		q.look(g, ranked)
	} else {
		s.served.note(list, ranked, q.Limit, snap)
	}
	for i, c := range ranked {
		r := &ranked[i]
		list.Items = append(list.Items, Recommended{ID: c.key, Score: r.value, Probability: r.probability, Margin: c.item.Margin(), Reason: c.reason,
			Because: g.because(r.candidate, history, q.Items), Propensity: r.propensity,
			Name: c.item.Name, Category: c.item.Category, Price: c.item.Price, ImageURL: c.item.ImageURL})
	}
	return list, nil
}

func (s *Service) checkQuery(q *Query) (*Placement, error) {
	if q.Placement == "" && q.draft == nil {
		if q.Placement = string(Home); len(q.Items) > 0 {
			q.Placement = string(Product)
		}
	}
	p := q.draft
	if p == nil {
		var err error
		if p, err = s.placement(q.Placement); err != nil {
			return nil, err
		}
	}
	var bad problem.Invalid
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.Limit < 1 || q.Limit > maxLimit {
		bad.Add("limit", fmt.Sprintf("must be 1 to %d", maxLimit), q.Limit)
	}
	for _, list := range []struct {
		field string
		items []string
	}{{"item", q.Items}, {"shown", q.Shown}} {
		if len(list.items) > maxContext {
			bad.Add(list.field, fmt.Sprintf("must have at most %d items", maxContext), len(list.items))
		}
	}
	if len(q.Items) == 0 && (p.Kind == Product || p.Kind == Cart || p.Kind == Search) {
		bad.Add("item", fmt.Sprintf("must name an item: the placement is of the kind %s", p.Kind), nil)
	}
	if q.At.IsZero() {
		q.At = s.now()
	}
	if q.ID == "" {
		q.ID = ulid.Make().String()
	}
	return p, bad.Err()
}

// gather asks the sources that fit the placement.
func (g *gathering) gather(items []string, past []did, history []interactions.Event) {
	switch g.placement.Kind {
	case Search:
		for rank, key := range items {
			// What was found stays; its order counts as one source among others.
			if v, ok := g.s.items.Get(key); ok && g.shows(&v.Value) {
				number := interactions.Unknown
				if g.snap != nil {
					number = g.snap.bundle.Items.Number(key)
				}
				g.pool.add(key, number, &v.Value, reasonContent, 1, rank)
			}
		}
		found := len(g.pool.list)
		g.personal(history)
		g.pool.list = g.pool.list[:found]
		return
	case Product, Cart:
		for _, key := range items {
			g.besides(key, 2/float64(len(items)))
		}
		g.personal(history)
	default:
		g.personal(history)
		g.latest(past, 1.2)
	}
	if len(history) > 0 {
		g.common()
	} else {
		// Of somebody unknown, most people's choice is known best: what trends comes behind.
		g.from(modelPopular, reasonPopular, 0.15, nil)
		g.from(modelTrending, reasonTrending, 0.01, nil)
	}
	if len(g.pool.list) == 0 {
		g.latest(past, 0.01)
		g.anything()
	}
}

// common is what everybody takes, behind what is known of somebody.
func (g *gathering) common() {
	g.from(modelTrending, reasonTrending, 0.15, nil)
	g.from(modelPopular, reasonPopular, 0.1, nil)
}

func (g *gathering) personal(history []interactions.Event) {
	if len(history) == 0 {
		return
	}
	g.from(modelPersonal, reasonTaste, 1, history)
	g.from(modelNext, reasonNext, 0.4, history)
	g.from(modelAlike, reasonAlike, 0.3, history)
	g.from(modelContent, reasonContent, 0.1, history)
}

// anything is what can be shown while nothing was learned: the newest of the catalogue.
func (g *gathering) anything() {
	// These need not be new to a build: it may know nothing that can be shown.
	for rank, key := range *g.s.fresh.Load() {
		if v, ok := g.s.items.Get(key); ok && !g.items[key] && g.shows(&v.Value) {
			g.pool.add(key, interactions.Unknown, &v.Value, reasonFresh, 0.01, rank)
		}
	}
}

// exclude takes out what the person bought lately.
func (g *gathering) exclude(past []did, now time.Time) {
	days := g.placement.BoughtDays
	if days == 0 {
		days = 30
	}
	if days < 0 || g.placement.Kind == Search {
		return
	}
	since := now.AddDate(0, 0, -days).Unix()
	bought := map[string]bool{}
	for _, d := range past {
		if d.bought && d.at >= since {
			bought[d.item] = true
		}
	}
	before := len(g.pool.list)
	g.pool.list = slices.DeleteFunc(g.pool.list, func(c *candidate) bool { return bought[c.key] })
	g.bought = before - len(g.pool.list)
}

// rank gives each candidate what it is ordered by.
func (g *gathering) rank(history []interactions.Event) {
	r := g.s.rankerFor(g.snap)
	if r != nil && !g.ranks(history) {
		r = nil
	}
	// What a ranker reads of candidates does not depend on their order, but for who is
	// among those that it looks at.
	if r == nil || len(g.pool.list) > mostRanked {
		g.pool.sort(nil)
	}
	if r != nil {
		g.ranker = r
		g.chances(r.model, history)
	}
	for i, c := range g.pool.list {
		p := c.chance
		if g.ranker == nil {
			p = g.probability(i, c)
		}
		c.value = p * g.placement.factor(c.key, c.item)
		if g.placement.Goal == ByMargin {
			c.value *= math.Max(c.item.Margin(), 0)
		}
		c.lead = p
	}
	g.pool.sort(func(c *candidate) float64 { return c.value })
}

// probability is how often people took the item at a rank; beyond the ranks that were
// looked at, and before anything was, it falls with the score.
func (g *gathering) probability(rank int, c *candidate) float64 {
	if g.snap != nil {
		if taken := g.snap.version.Report.Taken; rank < len(taken) {
			return taken[rank]
		} else if n := len(taken); n > 0 {
			return taken[n-1] * float64(n) / float64(rank+1)
		}
	}
	return c.score
}

// placed is a candidate in its place.
type placed struct {
	*candidate
	probability, propensity float64
}

// arrange fills the places one after the other: pinned items, then by value less
// likeness to what stands before (Carbonell and Goldstein 1998), with some draws that
// are even among the best, whose probabilities are told exactly.
func (g *gathering) arrange(limit int, id string) []placed {
	out := make([]placed, 0, limit)
	suppliers := map[string]int{}
	left := g.pool.list
	put := func(c *candidate, propensity float64) {
		out = append(out, placed{c, c.lead, propensity})
		suppliers[c.suppliedBy()]++
		if i := slices.IndexFunc(left, func(o *candidate) bool { return o.key == c.key }); i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
	}
	for _, key := range g.placement.Pin {
		v, ok := g.s.items.Get(key)
		if !ok || g.items[key] || len(out) == limit || !g.shows(&v.Value) {
			continue
		}
		c := &candidate{key: key, number: interactions.Unknown, item: &v.Value, reason: reasonPinned}
		number := interactions.Unknown
		if g.snap != nil {
			number = g.snap.bundle.Items.Number(key)
		}
		if known := g.pool.find(key, number); known != nil {
			c.value, c.lead = known.value, known.lead
		}
		put(c, 1)
	}
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(id)) // never fails
	draws := rand.New(rand.NewPCG(seed.Sum64(), 1))
	for len(out) < limit {
		among := left[:min(len(left), max(leastCandidates, 3*limit))]
		if g.placement.PerSupplier > 0 {
			among = slices.DeleteFunc(slices.Clone(among), func(c *candidate) bool {
				name := c.suppliedBy()
				return name != "" && suppliers[name] >= g.placement.PerSupplier
			})
		}
		if len(among) == 0 {
			break
		}
		best := g.best(among, out)
		chosen := best
		explore := g.placement.Exploration
		if explore > 0 {
			if u := draws.Float64(); u < explore {
				chosen = min(len(among)-1, int(u/explore*float64(len(among))))
			}
		}
		propensity := explore / float64(len(among))
		if chosen == best {
			propensity += 1 - explore
		}
		put(among[chosen], propensity)
	}
	return out
}

// best is the place of the candidate with the largest value less likeness.
func (g *gathering) best(among []*candidate, before []placed) int {
	const tiny = 1e-300
	weight := g.placement.Diversity
	if weight == 0 || len(before) == 0 {
		return 0
	}
	// Without a ranker values are probabilities that are the same over many ranks; scores
	// tell those apart. Both are taken relative to the best that is left.
	value, score := 0.0, 0.0
	for _, c := range among {
		value, score = math.Max(value, c.value), math.Max(score, c.score)
	}
	at, most := 0, math.Inf(-1)
	for i, c := range among {
		// What came into a place since this was last looked at.
		for ; c.compared < len(before); c.compared++ {
			c.alike = math.Max(c.alike, g.likeness(c, before[c.compared].candidate))
		}
		v := c.value / math.Max(value, tiny)
		if g.ranker == nil {
			v = (v + c.score/math.Max(score, tiny)) / 2
		}
		if v = (1-weight)*v - weight*c.alike; v > most {
			at, most = i, v
		}
	}
	return at
}

// likeness of two items, 0 to 1: of their contents, or of their categories where they
// are not known.
func (g *gathering) likeness(a, b *candidate) float64 {
	if g.texts != nil && a.number != interactions.Unknown && b.number != interactions.Unknown {
		return math.Max(0, g.texts.Cosine(a.number, b.number))
	}
	if a.item.Category != "" && a.item.Category == b.item.Category {
		return 0.5
	}
	return 0
}

func (c *candidate) suppliedBy() string {
	if !c.supplierKnown {
		c.supplier, c.supplierKnown = supplier(c.item), true
	}
	return c.supplier
}

// supplier is whose item it is, empty where nobody is named.
func supplier(item *Item) string {
	for _, name := range []string{"supplier", "brand"} {
		if text, ok := item.Attributes[name].(string); ok && text != "" {
			return text
		}
	}
	return ""
}

// because are the items that speak most for a candidate.
func (g *gathering) because(c *candidate, history []interactions.Event, items []string) []string {
	switch c.reason {
	case reasonTogether, reasonContent:
		if g.placement.Kind == Product && len(items) > 0 {
			return items[:1]
		}
	}
	var model string
	switch c.reason {
	case reasonTaste:
		model = modelPersonal
	case reasonNext:
		model = modelNext
	case reasonAlike:
		model = modelAlike
	case reasonTogether:
		model = modelBaskets
	case reasonContent:
		model = modelContent
	default:
		return nil
	}
	if c.number == interactions.Unknown || len(history) == 0 {
		return nil
	}
	explain, known := g.explained[model]
	if !known {
		switch m := g.snap.model(model).(type) {
		case scoring.ListExplainer:
			explain = m.Explaining(history)
		case scoring.Explainer:
			explain = func(item int32, n int) []scoring.Reason { return m.Explain(history, item, n) }
		}
		if g.explained == nil {
			g.explained = make(map[string]func(int32, int) []scoring.Reason)
		}
		g.explained[model] = explain
	}
	if explain == nil {
		return nil
	}
	var out []string
	for _, r := range explain(c.number, 2) {
		if id := g.snap.bundle.Items.ID(r.Item); id != c.key {
			out = append(out, id)
		}
	}
	return out
}
