package recommend

import (
	"context"
	"fmt"
	"math"
	"time"

	"quintet/recommend/interactions"
	"quintet/recommend/offline"
	"quintet/recommend/ranking"
	"quintet/recommend/scoring"
)

// RankerReport is what is known of a ranker.
type RankerReport struct {
	From         string    `json:"from" doc:"lists that were shown, or interactions while too little was taken from lists"`
	Method       string    `json:"method,omitempty" doc:"logistic or boosted trees"`
	Personal     string    `json:"personal" doc:"Personal recommender whose scores it reads; it ranks what that one retrieves only"`
	LearnedSince time.Time `json:"learnedSince" doc:"It learned from what was taken from this moment on"`
	JudgedSince  time.Time `json:"judgedSince" doc:"It was judged by what was taken from this moment on, of which it knows nothing"`
	Lists        int       `json:"lists" doc:"Lists, or people, that it learned from"`
	Rows         int       `json:"rows" doc:"Candidates that it learned from"`
	Taken        int       `json:"taken" doc:"Of those, taken"`
	Seconds      float64   `json:"seconds"`

	Choice     ranking.Choice      `json:"choice" doc:"How the method was chosen"`
	Influences []ranking.Influence `json:"influences,omitempty" doc:"The columns that move it most"`

	Judged    int            `json:"judged" doc:"People by whom it was judged"`
	Ranker    offline.Figure `json:"ranker" doc:"NDCG at 10 of its lists. Where it learned from lists, DCG at 10 by what was taken from later lists, each weighed by the inverse of the probability that it was shown and looked at"`
	Retrieval offline.Figure `json:"retrieval" doc:"NDCG at 10 of the order that the sources give"`
	Popular   offline.Figure `json:"popular" doc:"NDCG at 10 of what is popular"`
	// Person by person.
	OverRetrieval offline.Figure `json:"overRetrieval" doc:"By how much NDCG at 10 is above that of retrieval, with the 95% interval over people"`
	OverPopular   offline.Figure `json:"overPopular"`
	NewOverRetr   offline.Figure `json:"newOverRetrieval" doc:"The same among items that the person had nothing to do with before"`
	Predicted     float64        `json:"predicted" doc:"Mean probability of the first ten, by the ranker"`
	Observed      float64        `json:"observed" doc:"Share of the first ten that were taken"`
	Coverage      float64        `json:"coverage" doc:"Share of the catalogue in the first ten of anybody"`
	CoverageRetr  float64        `json:"coverageOfRetrieval"`
	ListsRefused  string         `json:"listsRefused,omitempty" doc:"Why one that was learned from lists was not used"`
	Refused       string         `json:"refused,omitempty" doc:"Why lists stay in the order that the sources give"`
}

const (
	// leastRankJudged is by how many people a ranker is judged at least.
	leastRankJudged = 50
	// rankedPlaces are the places that the gate looks at.
	rankedPlaces = 10
	// worstCalibration is by which factor the probabilities may be wrong in the mean.
	worstCalibration = 2
	// leastCoverage is the share of retrieval's coverage that is left at least.
	leastCoverage = 0.25
	// judgedClip bounds the weight of what was taken from a list.
	judgedClip = 1000
)

// judgement is what the gate finds for one person, or one list.
type judgement struct {
	ranker, retrieval, popular, newRanker, newRetrieval float64
	predicted, observed                                 float64
	shown, retrieved                                    []int32
	anyNew                                              bool
}

// gate compares the lists of a ranker with those of its own retrieval and with what is
// popular, on a time that it does not know: by what people took, or, where it learned
// from lists, by what they took from lists, as if those had been drawn evenly and looked
// at in every place. What an order that was shown made people take speaks for that order.
func (le *lesson) gate(ctx context.Context, model *ranking.Ranker, r *RankerReport) error {
	var people []asked
	if r.From == fromLists {
		if people = spread(le.lists(le.held.at, math.MaxInt64), mostRankJudged); takenFrom(people) < leastRankJudged {
			r.Refused = fmt.Sprintf("%d items were taken from lists in the time that it is judged by, fewer than %d", takenFrom(people), leastRankJudged)
			return nil
		}
	} else {
		people = le.asks(le.held.at, math.MaxInt64, mostRankJudged)
	}
	if r.Judged = len(people); r.Judged < leastRankJudged {
		r.Refused = fmt.Sprintf("%d people came back in the time that it is judged by, fewer than %d", r.Judged, leastRankJudged)
		return nil
	}
	results := make([]judgement, len(people))
	err := le.each(ctx, le.stage(le.held.at, le.held.models), people, func(n int, g *gathering, a *asked) {
		if r.From == fromLists {
			results[n] = judgeList(g, a, model, r.Choice.Place)
		} else {
			results[n] = le.judgePerson(g, a, model)
		}
	})
	if err != nil {
		return err
	}
	r.sum(results, le.log.Items().Len())
	r.Refused = r.verdict()
	return nil
}

// takenFrom is how many items were taken from lists.
func takenFrom(lists []asked) (n int) {
	for _, a := range lists {
		n += len(a.taken)
	}
	return n
}

func (g *gathering) numbers() []int32 {
	list := make([]int32, len(g.pool.list))
	for i, c := range g.pool.list {
		list[i] = c.number
	}
	return list
}

// first is at most the places that the gate looks at.
func first(list []int32) []int32 { return list[:min(rankedPlaces, len(list))] }

func (le *lesson) judgePerson(g *gathering, a *asked, model *ranking.Ranker) (out judgement) {
	seen := make(map[int32]bool, len(a.history))
	for _, e := range le.log.Events(a.person) {
		if e.At < a.at {
			seen[e.Item] = true
		}
	}
	taken, fresh := make(map[int32]float64), make(map[int32]float64)
	for item := range a.taken {
		taken[item] = 1
		if !seen[item] {
			fresh[item] = 1
		}
	}
	all, ofNew := ideal(len(taken)), ideal(len(fresh))
	out.anyNew = len(fresh) > 0
	retrieved := g.numbers()
	out.retrieval, out.newRetrieval = gain(retrieved, taken, nil)/all, gain(retrieved, fresh, seen)/ofNew
	g.judge(model, a.history)
	ranked := g.numbers()
	out.ranker, out.newRanker = gain(ranked, taken, nil)/all, gain(ranked, fresh, seen)/ofNew
	out.popular = gain(popularFor(g, a), taken, nil) / all
	out.note(g, ranked, retrieved, taken)
	return out
}

// judgeList weighs what was taken by the inverse of the probability that it was shown and
// looked at (Joachims, Swaminathan and Schnabel 2017; Agarwal et al. 2019).
func judgeList(g *gathering, a *asked, model *ranking.Ranker, place float64) (out judgement) {
	taken := make(map[int32]float64)
	for at, item := range a.shown {
		number := g.snap.bundle.Items.Number(item.Key)
		if number != interactions.Unknown && a.taken[number] {
			looked := math.Pow(float64(at+1), math.Min(place, 0))
			taken[number] = ranking.Weight(item.Propensity*looked, judgedClip)
		}
	}
	retrieved := g.numbers()
	out.retrieval, out.popular = gain(retrieved, taken, nil), gain(popularFor(g, a), taken, nil)
	g.judge(model, a.history)
	ranked := g.numbers()
	out.ranker = gain(ranked, taken, nil)
	out.note(g, ranked, retrieved, taken)
	return out
}

// note takes down the first places of both orders.
func (j *judgement) note(g *gathering, ranked, retrieved []int32, taken map[int32]float64) {
	j.shown, j.retrieved = first(ranked), first(retrieved)
	for i, item := range j.shown {
		j.predicted += g.pool.list[i].chance
		j.observed += taken[item]
	}
}

// sum takes the means over people and their intervals.
func (r *RankerReport) sum(results []judgement, items int) {
	var ranker, retrieval, popular, over, overPopular, overNew []float64
	places := 0
	for _, x := range results {
		ranker, retrieval, popular = append(ranker, x.ranker), append(retrieval, x.retrieval), append(popular, x.popular)
		over, overPopular = append(over, x.ranker-x.retrieval), append(overPopular, x.ranker-x.popular)
		if x.anyNew {
			overNew = append(overNew, x.newRanker-x.newRetrieval)
		}
		r.Predicted, r.Observed, places = r.Predicted+x.predicted, r.Observed+x.observed, places+len(x.shown)
	}
	r.Predicted, r.Observed = r.Predicted/float64(max(places, 1)), r.Observed/float64(max(places, 1))
	measure := offline.NDCG
	if r.From == fromLists {
		measure = "DCG"
	}
	r.Ranker, r.Retrieval, r.Popular = figure(measure, ranker), figure(measure, retrieval), figure(measure, popular)
	r.OverRetrieval, r.OverPopular, r.NewOverRetr = figure(measure, over), figure(measure, overPopular), figure(measure, overNew)
	coverage := func(of func(judgement) []int32) float64 {
		set := scoring.NewSet(items)
		for _, x := range results {
			for _, item := range of(x) {
				set.Add(item)
			}
		}
		return float64(set.Len()) / float64(items)
	}
	r.Coverage, r.CoverageRetr = coverage(func(x judgement) []int32 { return x.shown }), coverage(func(x judgement) []int32 { return x.retrieved })
}

// verdict is why a ranker is refused, and empty where it is not.
func (r *RankerReport) verdict() string {
	above := func(f offline.Figure, what string, theirs offline.Figure) string {
		if f.Lower > 0 {
			return ""
		}
		return fmt.Sprintf("%s@10 of %.4f is not certainly above that of %s, %.4f: %+.4f (%+.4f to %+.4f)", f.Measure, r.Ranker.Value, what, theirs.Value, f.Value, f.Lower, f.Upper)
	}
	switch {
	case above(r.OverRetrieval, "retrieval", r.Retrieval) != "":
		return above(r.OverRetrieval, "retrieval", r.Retrieval)
	case above(r.OverPopular, "what is popular", r.Popular) != "":
		return above(r.OverPopular, "what is popular", r.Popular)
	case r.NewOverRetr.Upper < 0:
		return fmt.Sprintf("among items that people did not know its NDCG@10 is below that of retrieval: %+.4f (%+.4f to %+.4f)", r.NewOverRetr.Value, r.NewOverRetr.Lower, r.NewOverRetr.Upper)
	case r.Predicted > worstCalibration*r.Observed || r.Observed > worstCalibration*r.Predicted:
		return fmt.Sprintf("it gives the first ten a probability of %.4f in the mean, and %.4f of them were taken", r.Predicted, r.Observed)
	case r.Coverage < leastCoverage*r.CoverageRetr:
		return fmt.Sprintf("its first ten cover %.3f of the catalogue, those of retrieval %.3f", r.Coverage, r.CoverageRetr)
	}
	return ""
}

// figure is a mean over people with its interval; zeros without anybody.
func figure(measure string, values []float64) offline.Figure {
	if len(values) < 2 {
		return offline.Figure{Measure: measure, K: rankedPlaces}
	}
	value, half := offline.MeanInterval(values, 0.95)
	return offline.Figure{Measure: measure, K: rankedPlaces, Value: value, Lower: value - half, Upper: value + half}
}

// gain is DCG of the first ten, passing over some items.
func gain(list []int32, truth map[int32]float64, without map[int32]bool) float64 {
	sum, place := 0.0, 0
	for _, item := range list {
		if without[item] {
			continue
		}
		if place == rankedPlaces {
			break
		}
		sum += truth[item] / math.Log2(float64(place)+2)
		place++
	}
	return sum
}

// ideal is DCG of a list that begins with n items that were taken; 1 where n is 0.
func ideal(n int) float64 {
	sum := 0.0
	for i := range min(rankedPlaces, n) {
		sum += 1 / math.Log2(float64(i)+2)
	}
	return max(sum, 1)
}

// popularFor is what is popular, without what is left out for the person.
func popularFor(g *gathering, a *asked) []int32 {
	var out []int32
	for _, s := range g.same[modelPopular] {
		if s.Item != interactions.Unknown && !a.owned[s.Item] {
			if out = append(out, s.Item); len(out) == rankedPlaces {
				break
			}
		}
	}
	return out
}
