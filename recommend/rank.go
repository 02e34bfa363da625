package recommend

import (
	"quintet/recommend/interactions"
	"quintet/recommend/ranking"
)

// mostRanked is how many candidates the ranker looks at, the best of retrieval.
const mostRanked = 120

// ranks says whether a ranker orders this list: it learned from lists for people of whom
// something is known.
func (g *gathering) ranks(history []interactions.Event) bool {
	return g.facts != nil && len(history) > 0 && (g.placement.Kind == Home || g.placement.Kind == Email)
}

// judge gives the candidates, which are in the order of retrieval, the probability that
// they are taken, and orders them by it.
func (g *gathering) judge(r *ranking.Ranker, history []interactions.Event) {
	g.chances(r, history)
	g.pool.sort(func(c *candidate) float64 { return c.chance })
}

// chances gives the candidates the probability that they are taken. Where there are more
// than mostRanked they are in the order of retrieval, and those beyond stay behind, falling
// as their scores do.
func (g *gathering) chances(r *ranking.Ranker, history []interactions.Event) {
	t, list := &g.pool.taste, g.pool.list
	t.read(history, g.facts, g.at)
	front := list[:min(len(list), mostRanked)]
	least := 1.0
	for _, c := range front {
		t.describe(c, g.facts, g.at, g.pool.row[:columns])
		c.chance = r.Probability(g.pool.row[:])
		least = min(least, c.chance)
	}
	for _, c := range list[len(front):] {
		c.chance = least * c.score / front[len(front)-1].score
	}
}
