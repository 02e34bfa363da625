package recommend

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"quintet/recommend/baskets"
	"quintet/recommend/content"
	"quintet/recommend/ease"
	"quintet/recommend/implicit"
	"quintet/recommend/interactions"
	"quintet/recommend/neighbours"
	"quintet/recommend/offline"
	"quintet/recommend/popular"
	"quintet/recommend/scoring"
	"quintet/recommend/sequential"
	"quintet/recommend/trained"
)

// Names of the models of a build.
const (
	modelPopular  = "popular"
	modelTrending = "trending"
	modelPersonal = "personal" // factors, or EASE for small catalogues
	modelNext     = "next"
	modelAlike    = "alike" // by who had them
	modelBaskets  = "baskets"
	modelContent  = "content"
	modelLatest   = "latest" // by when they came
)

const (
	// easeItems is up to how many items the exact linear model is used instead of
	// factors: its cost grows with their cube.
	easeItems = 3000
	// leastEvents is how many events there must be to learn personal taste from;
	// below, what is popular is all that can be said.
	leastEvents = 200
	// judgedShare of the time is hidden to judge a build by what came after.
	judgedShare = 0.1
	// judgedRanks are the ranks whose probability of being taken is estimated.
	judgedRanks = 100
	// mostJudged bounds the people by whom a build is judged.
	mostJudged = 20_000
)

// Report is what is known of a build.
type Report struct {
	Events   int       `json:"events" doc:"Interactions learned from"`
	People   int       `json:"people"`
	Items    int       `json:"items" doc:"Of the catalogue, and what was interacted with"`
	Since    time.Time `json:"since" doc:"Events from this moment on were learned from"`
	Through  time.Time `json:"through" doc:"Time of the latest of them"`
	Seconds  float64   `json:"seconds" doc:"Time that building took"`
	Personal string    `json:"personal" doc:"Method of the personal recommender: ials, ease, or empty when the gate refused it or there is too little to learn from"`
	Refused  string    `json:"refused,omitempty" doc:"Why the personal recommender is not used"`
	Judged   int       `json:"judged" doc:"People by whose later events it was judged"`
	// NDCG at 10 on what came in the last tenth of the time, of models that were trained
	// on what was before.
	Figures map[string][]offline.Figure `json:"figures,omitempty" doc:"By recommender: measures at 10 on the last tenth of the time, with 95% intervals, and its coverage, the share of all items that anybody was shown"`
	// Taken is how probable it is that the item at each rank is taken.
	Taken []float64 `json:"taken,omitempty" doc:"For each rank from the first on, the share of people who took that item, never rising"`
}

// build trains all models on a log, and judges the personal one on the last part of it:
// one that is worse than popularity is not used.
func build(ctx context.Context, l *interactions.Log, catalogue map[string]*Item, now time.Time, halfLife time.Duration) (*trained.Bundle, *Report, *held, error) {
	return buildSoon(ctx, l, catalogue, now, halfLife, nil)
}

// buildSoon is build. Where the personal recommender passes, early, if not nil, is given
// what it was judged with, which knows all but the last part, before everything is trained.
func buildSoon(ctx context.Context, l *interactions.Log, catalogue map[string]*Item, now time.Time, halfLife time.Duration, early func(*trained.Bundle, *Report) error) (*trained.Bundle, *Report, *held, error) {
	started := time.Now()
	first, last := l.Span()
	r := &Report{Events: l.Len(), People: l.People().Len(), Items: l.Items().Len(), Since: time.Unix(first, 0).UTC(), Through: time.Unix(last, 0).UTC()}
	likeness, err := content.New(contentOf(l.Items(), catalogue), content.Settings{})
	if err != nil {
		likeness = nil
		r.Refused = joined(r.Refused, fmt.Sprintf("contents are not compared: %v", err))
	}
	held, err := judge(ctx, l, halfLife, r)
	if err != nil {
		return nil, nil, nil, err
	}
	bundle := func(models map[string]scoring.Model) *trained.Bundle {
		b := &trained.Bundle{Items: l.Items(), Models: maps.Clone(models)}
		if likeness != nil {
			b.Models[modelContent] = likeness
		}
		personal := b.Models[modelPersonal]
		if personal != nil && r.Refused == "" {
			r.Personal = personal.Kind()
		} else {
			delete(b.Models, modelPersonal)
		}
		r.Seconds = time.Since(started).Seconds()
		return b
	}
	if early != nil && held != nil && r.Refused == "" {
		b, soon := bundle(held.models), *r
		soon.Events = held.events
		if err := early(b, &soon); err != nil {
			return nil, nil, nil, err
		}
	}
	m, err := trainAll(ctx, l, now.Unix(), halfLife)
	if err != nil {
		return nil, nil, nil, err
	}
	return bundle(m), r, held, nil
}

// held is what the judgement of a build was made with: models of what came before a
// moment.
type held struct {
	at     int64
	events int // before it
	models map[string]scoring.Model
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// trainAll trains every model that learns from what people did.
func trainAll(ctx context.Context, l *interactions.Log, now int64, halfLife time.Duration) (map[string]scoring.Model, error) {
	decay := interactions.Weighting{HalfLife: halfLife.Seconds(), Now: now}
	models := map[string]scoring.Model{}
	p, err := popular.Count(l, decay)
	if err != nil {
		return nil, fmt.Errorf("counting what is popular: %w", err)
	}
	models[modelPopular] = p
	if l.Len() == 0 {
		return models, nil
	}
	t, err := popular.Trend(l, popular.Trending{Now: now, Recent: 2 * 24 * 3600, Usual: 30 * 24 * 3600, Prior: 10})
	if err != nil {
		return nil, fmt.Errorf("counting what trends: %w", err)
	}
	models[modelTrending] = t
	models[modelLatest] = popular.Latest(since(l))
	// Each of these takes one core for the longest part of its time.
	group, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	train := func(name, doing string, f func() (scoring.Model, error)) {
		group.Go(func() error {
			m, err := f()
			if err != nil {
				return fmt.Errorf("%s: %w", doing, err)
			}
			mu.Lock()
			defer mu.Unlock()
			models[name] = m
			return nil
		})
	}
	train(modelAlike, "comparing items", func() (scoring.Model, error) { return neighbours.Train(ctx, l, neighbours.Settings{}) })
	train(modelBaskets, "counting baskets", func() (scoring.Model, error) { return baskets.Train(ctx, l, baskets.Settings{}) })
	train(modelNext, "counting what comes next", func() (scoring.Model, error) { return sequential.Train(ctx, l, sequential.Settings{}) })
	if l.Len() >= leastEvents {
		train(modelPersonal, "learning personal taste", func() (scoring.Model, error) { return trainPersonal(ctx, l, decay) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return models, nil
}

// trainPersonal trains EASE on a small catalogue, and otherwise factors.
func trainPersonal(ctx context.Context, l *interactions.Log, decay interactions.Weighting) (scoring.Model, error) {
	decay.Logarithm = true
	matrix, err := l.Matrix(decay)
	if err != nil {
		return nil, fmt.Errorf("gathering interactions: %w", err)
	}
	if l.Items().Len() <= easeItems {
		return ease.Train(ctx, matrix, ease.Settings{Weighting: decay})
	}
	return implicit.Train(ctx, matrix, implicit.Settings{Weighting: decay}, implicit.Options{})
}

// since is when anybody first did anything with each item; 0 where nobody did.
func since(l *interactions.Log) []int64 {
	out := make([]int64, l.Items().Len())
	for p := range l.People().Len() {
		for _, e := range l.Events(p) {
			if at := &out[e.Item]; *at == 0 || e.At < *at {
				*at = e.At
			}
		}
	}
	return out
}

// judge trains once more on all but the last part of the time and looks at what people
// did then. It gives nothing where there is too little to judge by.
func judge(ctx context.Context, l *interactions.Log, halfLife time.Duration, r *Report) (*held, error) {
	if l.Len() < leastEvents {
		r.Refused = joined(r.Refused, fmt.Sprintf("there are %d events, fewer than %d", l.Len(), leastEvents))
		return nil, nil
	}
	at := offline.Quantile(l, 1-judgedShare)
	split := offline.TimeSplit(l, 0, at, 0, false)
	// Who had done nothing before gets what is popular in any case.
	split.Cases = slices.DeleteFunc(split.Cases, func(c offline.Case) bool { return len(c.History) == 0 })
	if len(split.Cases) > mostJudged {
		split.Cases = split.Cases[:mostJudged]
	}
	if r.Judged = len(split.Cases); r.Judged < 20 {
		r.Refused = joined(r.Refused, fmt.Sprintf("only %d people came back in the last tenth of the time, too few to judge it by", r.Judged))
		return nil, nil
	}
	models, err := trainAll(ctx, split.Train, at, halfLife)
	if err != nil {
		return nil, fmt.Errorf("training for judgement: %w", err)
	}
	r.Figures = map[string][]offline.Figure{}
	reports := map[string]*offline.Report{}
	for _, name := range []string{modelPopular, modelTrending, modelPersonal, modelNext, modelAlike, modelBaskets} {
		m := models[name]
		if m == nil {
			continue
		}
		report, err := offline.Evaluate(ctx, m, split, offline.Options{K: []int{10}})
		if err != nil {
			return nil, fmt.Errorf("judging %s: %w", name, err)
		}
		reports[name], r.Figures[name] = report, report.Figures
	}
	best := models[modelPopular]
	if personal := reports[modelPersonal]; personal == nil {
		r.Refused = joined(r.Refused, "there is too little to learn personal taste from")
	} else if mine, theirs := personal.Value(offline.NDCG, 10), reports[modelPopular].Value(offline.NDCG, 10); mine < theirs {
		r.Refused = joined(r.Refused, fmt.Sprintf("NDCG@10 of %.4f is below that of what is popular, %.4f", mine, theirs))
	} else {
		best = models[modelPersonal]
	}
	r.Taken = taken(best, split)
	return &held{at, split.Train.Len(), models}, nil
}

// taken estimates for each rank how probable it is that the item there is taken: the
// share of people who took it, made to fall with the rank (pool adjacent violators).
func taken(s scoring.Scorer, split *offline.Split) []float64 {
	hits, n := make([]float64, judgedRanks), 0.0
	scores := make([]float32, s.Items())
	for _, c := range split.Cases {
		s.Score(c.History, scores)
		for _, seen := range c.Exclude {
			scores[seen] = float32(math.Inf(-1))
		}
		for rank, scored := range scoring.TopK(scores, nil, judgedRanks, nil) {
			if slices.Contains(c.Truth, scored.Item) {
				hits[rank]++
			}
		}
		n++
	}
	// Half a hit more at each rank: what nobody took is improbable, not impossible.
	for i := range hits {
		hits[i] = (hits[i] + 0.5) / (n + 1)
	}
	return falling(hits)
}

// falling is the least-squares fit of values that never rises.
func falling(values []float64) []float64 {
	type block struct {
		sum float64
		n   int
	}
	var blocks []block
	for _, v := range values {
		blocks = append(blocks, block{v, 1})
		for len(blocks) > 1 {
			a, b := blocks[len(blocks)-2], blocks[len(blocks)-1]
			if a.sum/float64(a.n) >= b.sum/float64(b.n) {
				break
			}
			blocks = append(blocks[:len(blocks)-2], block{a.sum + b.sum, a.n + b.n})
		}
	}
	out := make([]float64, 0, len(values))
	for _, b := range blocks {
		for range b.n {
			out = append(out, b.sum/float64(b.n))
		}
	}
	return out
}

// contentOf are the items of the vocabulary as they are compared by content.
func contentOf(items *interactions.Vocabulary, catalogue map[string]*Item) []content.Item {
	out := make([]content.Item, items.Len())
	for n, id := range items.IDs() {
		if item := catalogue[id]; item != nil {
			out[n] = contentItem(item)
		}
	}
	return out
}

func contentItem(item *Item) content.Item {
	c := content.Item{Text: strings.TrimSpace(item.Name + " " + item.Text)}
	if item.Category != "" {
		// Every level is an attribute, so that neighbours in the tree are alike.
		for i, ch := range item.Category {
			if ch == '/' {
				c.Attributes = append(c.Attributes, "category="+item.Category[:i])
			}
		}
		c.Attributes = append(c.Attributes, "category="+item.Category)
	}
	for name, value := range item.Attributes {
		switch v := value.(type) {
		case string:
			c.Attributes = append(c.Attributes, name+"="+v)
		case bool:
			c.Attributes = append(c.Attributes, fmt.Sprintf("%s=%t", name, v))
		}
	}
	slices.Sort(c.Attributes)
	return c
}
