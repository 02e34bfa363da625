package recommend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quintet/recommend/interactions"
	"quintet/recommend/offline"
	"quintet/recommend/ranking"
	"quintet/recommend/scoring"
	"quintet/recommend/trained"
)

const (
	// learnedShare of the time is before what a ranker is learned from, which ends where
	// what it is judged by begins.
	learnedShare = 1 - 2*judgedShare
	// mostLearnedFrom bounds the people, or lists, that a ranker is learned from, and
	// mostRankJudged the people by whom it is judged.
	mostLearnedFrom = 4000
	mostRankJudged  = 5000
	// mostShown bounds the lists that are read.
	mostShown = 40_000
	// bestKept candidates of each list are learned from, and others as often as sampled.
	bestKept, sampled = 20, 20
	// leastTaken is how many rows must have been taken to learn from lists.
	leastTaken = 200
	// propensityClip bounds the weight of a row that exploration drew.
	propensityClip = 10
	// takenWithin is how long after a list what was taken counts for it.
	takenWithin = 24 * 3600
)

// Shown is a list that somebody was shown.
type Shown struct {
	Person string
	At     time.Time
	Items  []ShownItem // by place
}

// ShownItem is one item of a list that was shown.
type ShownItem struct {
	Key string
	// Propensity is the probability with which it was drawn for its place.
	Propensity float64
}

// What a ranker can be learned from.
const (
	fromLists        = "lists"
	fromInteractions = "interactions"
)

// lesson is what a ranker is learned from and judged by.
type lesson struct {
	log       *interactions.Log
	catalogue map[string]*Item
	shown     []Shown
	bought    float32 // weight from which on an event is a purchase
	build     *Report
	held      *held
	content   scoring.Model
	halfLife  time.Duration
}

// learnRanking learns a ranker beside a build, keeps it with what the gate says of it,
// and takes it up.
func (s *Service) learnRanking(ctx context.Context, l *interactions.Log, catalogue map[string]*Item, b *trained.Bundle, r *Report, h *held) error {
	le := &lesson{log: l, catalogue: catalogue, bought: boughtWeight(s.signals), build: r, held: h, content: b.Models[modelContent], halfLife: halfLife}
	if h != nil && s.shown != nil {
		var err error
		if le.shown, err = s.shown(ctx, time.Unix(offline.Quantile(l, learnedShare), 0), mostShown); err != nil {
			return fmt.Errorf("reading the lists that were shown: %w", err)
		}
	}
	model, report, err := le.learn(ctx)
	if err != nil {
		return err
	}
	if err := s.saveRanker(ctx, model, report, s.now()); err != nil {
		return err
	}
	s.log.Info("a ranker was learned", "from", report.From, "method", report.Method, "refused", report.Refused, "seconds", report.Seconds)
	return s.followRanker(ctx)
}

// boughtWeight is the least weight of a purchase.
func boughtWeight(signals []Signal) float32 {
	least := float32(0)
	for _, signal := range signals {
		if w := float32(signal.Weight); signal.Bought && (least == 0 || w < least) {
			least = w
		}
	}
	return least
}

// learn teaches a ranker what people took from lists of an earlier time, and judges it by
// what they took later. Where it is refused, or there are too few lists, one learns from
// what people did anyway. Where there is too little, there is a report only.
func (le *lesson) learn(ctx context.Context) (*ranking.Ranker, *RankerReport, error) {
	r := RankerReport{Personal: le.build.Personal}
	if le.held == nil {
		r.Refused = "there is too little to judge it by"
		return nil, &r, nil
	}
	at := offline.Quantile(le.log, learnedShare)
	if at >= le.held.at {
		r.Refused = "what is known came all at once: there is no earlier time to learn from"
		return nil, &r, nil
	}
	r.LearnedSince, r.JudgedSince = time.Unix(at, 0).UTC(), time.Unix(le.held.at, 0).UTC()
	models, err := trainAll(ctx, le.log.Filter(func(_ int, e interactions.Event) bool { return e.At < at }), at, le.halfLife)
	if err != nil {
		return nil, nil, fmt.Errorf("training for a ranker: %w", err)
	}
	st := le.stage(at, models)
	if lists := le.lists(at, le.held.at); len(lists) > 0 {
		rows, err := le.gathered(ctx, st, lists, shownRows)
		if err != nil {
			return nil, nil, err
		}
		if rows.Taken() >= leastTaken {
			fromThose := r
			fromThose.From, fromThose.Lists = fromLists, len(lists)
			model, err := le.fit(ctx, rows, &fromThose)
			if err != nil || fromThose.Refused == "" {
				return model, &fromThose, err
			}
			r.ListsRefused = fromThose.Refused
		}
	}
	people := le.asks(at, le.held.at, mostLearnedFrom)
	r.From, r.Lists = fromInteractions, len(people)
	rows, err := le.gathered(ctx, st, people, sampledRows)
	if err != nil {
		return nil, nil, err
	}
	model, err := le.fit(ctx, rows, &r)
	return model, &r, err
}

// fit learns from rows and has the gate judge what came of it.
func (le *lesson) fit(ctx context.Context, rows *ranking.Rows, r *RankerReport) (*ranking.Ranker, error) {
	started := time.Now()
	model, choice, err := ranking.Fit(ctx, rows, ranking.Settings{})
	r.Rows, r.Taken, r.Choice = rows.Len(), rows.Taken(), choice
	if ctx.Err() != nil {
		return nil, fmt.Errorf("learning to rank: %w", ctx.Err())
	}
	if err != nil {
		r.Refused = err.Error()
		return nil, nil
	}
	r.Method, r.Influences = model.Method(), model.Influences()[:12]
	if err := le.gate(ctx, model, r); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(started).Seconds()
	return model, nil
}

// stage is what would have been served as of a moment.
type stage struct {
	at      int64
	snap    *snapshot
	allowed allowedSet
}

func (le *lesson) stage(at int64, models map[string]scoring.Model) *stage {
	b := &trained.Bundle{Items: le.log.Items(), Models: make(map[string]scoring.Model, len(models)+1)}
	for name, m := range models {
		if name != modelPersonal || le.build.Personal != "" {
			b.Models[name] = m
		}
	}
	if le.content != nil {
		b.Models[modelContent] = le.content
	}
	snap := newSnapshot(Version{Report: Report{Personal: le.build.Personal}}, b)
	return &stage{at, snap, everything(snap, le.catalogue)}
}

// asked is one person at a moment, with what they took afterwards.
type asked struct {
	person  int
	at      int64
	history []interactions.Event // as serving knows it
	owned   map[int32]bool       // bought within 30 days: not shown
	taken   map[int32]bool
	shown   []ShownItem
}

// before is what serving knows of a person at a moment, and what it leaves out.
func (le *lesson) before(person int, at int64) (history []interactions.Event, owned map[int32]bool) {
	for _, e := range le.log.Events(person) {
		if e.At >= at {
			break
		}
		history = append(history, e)
		if le.bought > 0 && e.Weight >= le.bought && e.At >= at-30*86400 {
			if owned == nil {
				owned = make(map[int32]bool)
			}
			owned[e.Item] = true
		}
	}
	return history[max(0, len(history)-maxHistory):], owned
}

// asks are the people who had done something before a moment and took something between
// it and another, at most so many of them, spread over all.
func (le *lesson) asks(at, until int64, most int) []asked {
	var out []asked
	for p := range le.log.People().Len() {
		a := asked{person: p, at: at}
		if a.history, a.owned = le.before(p, at); len(a.history) == 0 {
			continue
		}
		a.take(le.log, at, until)
		if len(a.taken) > 0 {
			out = append(out, a)
		}
	}
	return spread(out, most)
}

func (a *asked) take(l *interactions.Log, from, until int64) {
	a.taken = make(map[int32]bool)
	for _, e := range l.Events(a.person) {
		if e.At >= from && e.At < until && !a.owned[e.Item] {
			a.taken[e.Item] = true
		}
	}
}

func spread[T any](list []T, most int) []T {
	if len(list) <= most {
		return list
	}
	out := make([]T, 0, most)
	for i := range most {
		out = append(out, list[i*len(list)/most])
	}
	return out
}

// lists are those that were shown between two moments, with what was taken of them.
func (le *lesson) lists(from, until int64) (out []asked) {
	for _, s := range le.shown {
		p := le.log.People().Number(s.Person)
		when := s.At.Unix()
		if p == interactions.Unknown || when < from || when >= until {
			continue
		}
		a := asked{person: int(p), at: when, shown: s.Items}
		if a.history, _ = le.before(int(p), when); len(a.history) == 0 {
			continue
		}
		a.take(le.log, when, min(when+takenWithin, until))
		out = append(out, a)
	}
	return out
}

// gathered asks for the candidates of everybody and makes rows of them.
func (le *lesson) gathered(ctx context.Context, st *stage, people []asked, into func(n int, g *gathering, a *asked) []ranking.Row) (*ranking.Rows, error) {
	all := make([][]ranking.Row, len(people))
	err := le.each(ctx, st, people, func(n int, g *gathering, a *asked) { all[n] = into(n, g, a) })
	if err != nil {
		return nil, err
	}
	rows := ranking.NewRows(rankColumns)
	for _, list := range all {
		for _, row := range list {
			if err := rows.Add(row); err != nil {
				return nil, fmt.Errorf("gathering what to learn from: %w", err)
			}
		}
	}
	return rows, nil
}

// each gathers candidates, as a list of the kind home would, for everybody, on half of
// the cores: lists are served meanwhile.
func (le *lesson) each(ctx context.Context, st *stage, people []asked, use func(n int, g *gathering, a *asked)) error {
	home := &Placement{Kind: Home, Goal: ByRelevance}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)/2) {
		wg.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= len(people) {
					return
				}
				a := &people[n]
				g := &gathering{snap: st.snap, placement: home, at: a.at, allowedSet: st.allowed, most: leastCandidates, items: map[string]bool{}}
				g.pool = newPool(len(g.known))
				g.sources(a.history)
				g.pool.list = slices.DeleteFunc(g.pool.list, func(c *candidate) bool { return a.owned[c.number] })
				g.pool.sort(nil)
				use(n, g, a)
				g.pool.release()
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("gathering candidates: %w", err)
	}
	return nil
}

// sources are those of a home page that know something of a build.
func (g *gathering) sources(history []interactions.Event) {
	g.personal(history)
	g.common()
}

// describes gives the values of candidates, one after the other.
func (g *gathering) describes(a *asked) func(c *candidate) []float32 {
	t := &g.pool.taste
	t.read(a.history, g.facts, a.at)
	return func(c *candidate) []float32 {
		values := make([]float32, columns)
		t.describe(c, g.facts, a.at, values)
		return values
	}
}

// sampledRows are the best candidates, what was taken, and some of the others, which
// count for those that were left out.
func sampledRows(n int, g *gathering, a *asked) (out []ranking.Row) {
	values := g.describes(a)
	list := g.pool.list[:min(len(g.pool.list), mostRanked)]
	var others []*candidate
	add := func(c *candidate, weight float64) {
		out = append(out, ranking.Row{List: n, Values: values(c), Taken: a.taken[c.number], Place: ranking.NotShown, Weight: weight})
	}
	for i, c := range list {
		if i < bestKept || a.taken[c.number] {
			add(c, 1)
		} else {
			others = append(others, c)
		}
	}
	rng := rand.New(rand.NewPCG(uint64(a.person), uint64(a.at)))
	rng.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	drawn := others[:min(len(others), sampled)]
	for _, c := range drawn {
		add(c, float64(len(others))/float64(len(drawn)))
	}
	return out
}

// shownRows are the items of a list that was shown, by place, weighed by how improbable
// they were there.
func shownRows(n int, g *gathering, a *asked) (out []ranking.Row) {
	values := g.describes(a)
	for place, item := range a.shown {
		number := g.snap.bundle.Items.Number(item.Key)
		if number == interactions.Unknown || g.known[number] == nil {
			continue
		}
		c := g.pool.find(item.Key, number)
		if c == nil {
			c = &candidate{key: item.Key, number: number, item: g.known[number]}
		}
		out = append(out, ranking.Row{List: n, Values: values(c), Taken: a.taken[number], Place: place, Weight: ranking.Weight(item.Propensity, propensityClip)})
	}
	return out
}
