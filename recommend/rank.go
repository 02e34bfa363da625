package recommend

import (
	"cmp"
	"slices"

	"quintet/recommend/interactions"
	"quintet/recommend/ranking"
)

// mostRanked is how many candidates the ranker looks at, the best of retrieval.
const mostRanked = 200

// ranks says whether a ranker orders this list: it learned from lists for people of whom
// something is known.
func (g *gathering) ranks(history []interactions.Event) bool {
	return g.facts != nil && len(history) > 0 && (g.placement.Kind == Home || g.placement.Kind == Email)
}

// judge gives the candidates, which are in the order of retrieval, the probability that
// they are taken, and orders them by it. Those beyond mostRanked stay behind, falling as
// their scores do.
func (g *gathering) judge(r *ranking.Ranker, history []interactions.Event) {
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
	slices.SortFunc(list, func(a, b *candidate) int {
		if a.chance != b.chance {
			return cmp.Compare(b.chance, a.chance)
		}
		return byScore(a, b)
	})
}
