package recommend

import (
	"math"
	"strings"

	"quintet/recommend/interactions"
	"quintet/recommend/scoring"
)

// The columns that a ranker reads, in this order. Whoever changes what one means gives it
// another name: a ranker that was learned from others is not used.
var rankColumns = func() []string {
	names := make([]string, 0, columns)
	for _, what := range []string{"rank", "share"} {
		for n := range sources {
			names = append(names, what+" "+reasons[n])
		}
	}
	return append(names,
		"score "+reasonTaste, "score "+reasonNext, "score "+reasonAlike, "retrieval", "sources",
		"popularity", "trend", "newness", "never seen", "price", "margin",
		"price beside history", "cheaper than history", "category", "branch", "supplier", "category of last",
		"had", "had lately", "history", "days away", "score for-you x history",
	)
}()

// columns is how many there are.
const columns = 2*sources + 22

// fact is what a ranker reads of an item, whoever asks.
type fact struct {
	price, margin              float32 // ln(1 + price); share of the price
	category, branch, supplier int32   // numbers from 1 on; 0 for none
	popularity, trend, newness float32
	seen                       bool
}

// itemFacts are those of the items of a build.
type itemFacts struct {
	list  []fact
	names map[string]int32
}

// factsFor is nil while there is no ranker, which saves the memory.
func (s *Service) factsFor(snap *snapshot, known []*Item) *itemFacts {
	if s.ranker.Load() == nil {
		return nil
	}
	return newItemFacts(snap, known)
}

func newItemFacts(snap *snapshot, known []*Item) *itemFacts {
	f := &itemFacts{list: make([]fact, len(known)), names: make(map[string]int32)}
	for n, item := range known {
		if item != nil {
			f.list[n] = f.of(item, true)
		}
	}
	column := func(name string) []float32 {
		m := snap.model(name)
		if m == nil || m.Items() != len(known) {
			return nil
		}
		scores := make([]float32, m.Items())
		m.Score(nil, scores)
		return scores
	}
	none := float32(math.Inf(-1))
	popular, trend, latest := column(modelPopular), column(modelTrending), column(modelLatest)
	most, newest := float32(0), float32(0)
	for n := range popular {
		most = max(most, popular[n])
	}
	for n := range latest {
		newest = max(newest, latest[n])
	}
	for n := range f.list {
		x := &f.list[n]
		if n < len(popular) && popular[n] > 0 {
			x.popularity = float32(math.Log1p(float64(popular[n])) / math.Log1p(float64(most)))
		}
		if n < len(trend) && trend[n] > none {
			x.trend = min(1, max(-1, trend[n]/10))
		}
		x.newness = 1
		if n < len(latest) && latest[n] > none {
			x.seen, x.newness = true, float32(math.Exp(-float64(newest-latest[n])/(30*86400)))
		}
	}
	return f
}

// of is the fact of an item without what people did with it. Names that are not known
// yet are numbered only where grow is set: the facts of a build are read by many.
func (f *itemFacts) of(item *Item, grow bool) fact {
	number := func(kind, name string) int32 {
		if name == "" {
			return 0
		}
		n, ok := f.names[kind+name]
		if !ok && grow {
			n = int32(len(f.names)) + 1
			f.names[kind+name] = n
		}
		return n
	}
	x := fact{price: float32(math.Log1p(item.Price)), newness: 1}
	if item.Price > 0 {
		x.margin = max(-1, float32(item.Margin()/item.Price))
	}
	branch, _, _ := strings.Cut(item.Category, "/")
	x.category, x.branch, x.supplier = number("category ", item.Category), number("branch ", branch), number("supplier ", supplier(item))
	return x
}

// share is how much of a history is in something.
type share struct {
	of     int32
	weight float32
}

type shares []share

func (s *shares) add(of int32, weight float32) {
	if of == 0 {
		return
	}
	for i := range *s {
		if (*s)[i].of == of {
			(*s)[i].weight += weight
			return
		}
	}
	*s = append(*s, share{of, weight})
}

func (s shares) of(what int32) float32 {
	for i := range s {
		if s[i].of == what {
			return s[i].weight
		}
	}
	return 0
}

// taste is what a ranker reads of a person. It is used again.
type taste struct {
	category, branch, supplier shares
	items                      []hadItem
	price                      float32 // weighted mean of ln(1 + price)
	last                       int32   // category of the latest item
	length, away               float32
}

type hadItem struct {
	item   int32
	weight float32
	at     int64
}

// read takes in a history, oldest first, as of a moment.
func (t *taste) read(history []interactions.Event, f *itemFacts, now int64) {
	t.category, t.branch, t.supplier, t.items = t.category[:0], t.branch[:0], t.supplier[:0], t.items[:0]
	t.price, t.last, t.length, t.away = 0, 0, 0, 0
	total := float32(0)
	for _, e := range history {
		total += e.Weight
	}
	for _, e := range history {
		if e.Item < 0 || int(e.Item) >= len(f.list) {
			continue
		}
		x, w := &f.list[e.Item], e.Weight/total
		t.category.add(x.category, w)
		t.branch.add(x.branch, w)
		t.supplier.add(x.supplier, w)
		t.price += w * x.price
		t.last = x.category
		t.had(e)
	}
	t.length = float32(math.Log1p(float64(len(history))))
	if n := len(history); n > 0 {
		t.away = float32(math.Log1p(math.Max(0, float64(now-history[n-1].At)) / 86400))
	}
}

func (t *taste) had(e interactions.Event) {
	for i := range t.items {
		if t.items[i].item == e.Item {
			t.items[i].weight += e.Weight
			t.items[i].at = e.At
			return
		}
	}
	t.items = append(t.items, hadItem{e.Item, e.Weight, e.At})
}

// describe writes the columns of a candidate to x.
func (t *taste) describe(c *candidate, f *itemFacts, now int64, x []float32) {
	named := float32(0)
	for n := range sources {
		told := &c.told[n]
		x[n], x[sources+n] = 0, told.share
		if told.rank > 0 {
			x[n] = rankValue(told.rank)
			named++
		}
	}
	var item fact
	if c.number >= 0 && int(c.number) < len(f.list) {
		item = f.list[c.number]
	} else {
		item = f.of(c.item, false)
	}
	x = x[2*sources:]
	x[0], x[1], x[2] = c.told[0].score, c.told[1].score, c.told[2].score
	x[3], x[4] = float32(math.Log(c.score*fusion+1e-9)), named
	x[5], x[6], x[7], x[8] = item.popularity, item.trend, item.newness, indicator(!item.seen)
	x[9], x[10] = item.price, item.margin
	x[11], x[12] = 0, 0
	if t.price > 0 && item.price > 0 {
		d := item.price - t.price
		x[11], x[12] = max(d, -d), max(-d, 0)
	}
	x[13], x[14], x[15] = t.category.of(item.category), t.branch.of(item.branch), t.supplier.of(item.supplier)
	x[16] = indicator(t.last != 0 && t.last == item.category)
	x[17], x[18] = 0, 0
	for i := range t.items {
		if h := &t.items[i]; h.item == c.number && c.number != interactions.Unknown {
			x[17] = float32(math.Log1p(float64(h.weight)))
			x[18] = float32(math.Exp(-math.Max(0, float64(now-h.at)) / (7 * 86400)))
		}
	}
	x[19], x[20], x[21] = t.length, t.away, x[0]*t.length
}

func indicator(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

// rankValues are 1/log2(rank + 1), as in NDCG, of ranks from 1 on.
var rankValues = func() (out [1024]float32) {
	for i := range out {
		out[i] = float32(1 / math.Log2(float64(i)+2))
	}
	return out
}()

func rankValue(rank int32) float32 { return rankValues[min(int(rank), len(rankValues))-1] }

// everything allows all items of a build: what a ranker learns from.
func everything(snap *snapshot, catalogue map[string]*Item) allowedSet {
	items := snap.bundle.Items
	out := allowedSet{of: snap, set: scoring.NewSet(items.Len()), known: make([]*Item, items.Len()), same: map[string][]scoring.Scored{}}
	for n, id := range items.IDs() {
		if item := catalogue[id]; item != nil {
			out.known[n] = item
			out.set.Add(int32(n))
		}
	}
	for _, name := range []string{modelPopular, modelTrending} {
		if m := snap.model(name); m != nil {
			out.same[name] = scoring.Recommend(m, nil, out.set, breadth*maxLimit+maxContext, nil, nil)
		}
	}
	out.facts = newItemFacts(snap, out.known)
	return out
}
