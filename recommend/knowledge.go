package recommend

import (
	"math"

	"quintet/recommend/baskets"
	"quintet/recommend/interactions"
	"quintet/recommend/scoring"
)

// relatedItems is how many items each recommender names beside one.
const relatedItems = 10

// Neighbour is an item beside another.
type Neighbour struct {
	ID      string  `json:"id"`
	Name    string  `json:"name,omitempty" doc:"Empty for an item that is not in the catalogue any more"`
	Offered bool    `json:"offered" doc:"Whether it can be offered now"`
	Score   float64 `json:"score" doc:"As the recommender gives it: a lift, a cosine, a probability or a weight"`
	// Of what is bought together or after.
	Count      int32   `json:"count,omitempty" doc:"Baskets with both, or people who had the other later"`
	Confidence float64 `json:"confidence,omitempty" doc:"Share of the item's baskets, or people, with the other"`
	Direction  float64 `json:"direction,omitempty" doc:"Of what comes after: lower end of the 95% interval of the share of people with this order; above 0.5 the order is more than chance"`
}

// Related is what one recommender names beside an item.
type Related struct {
	Reason string      `json:"reason" doc:"bought-with, bought-after, also-bought, similar, next or for-you"`
	Items  []Neighbour `json:"items" nullable:"false" doc:"Best first, at most 10, also those that cannot be offered now"`
}

// KnowsItem says what a recommender knows of an item.
type KnowsItem struct {
	Recommender string  `json:"recommender" doc:"Name of the model in the build"`
	Method      string  `json:"method" doc:"How it was learned"`
	Knows       bool    `json:"knows"`
	Rank        int     `json:"rank,omitempty" doc:"Place among all items, of what is popular, trends or is new"`
	Score       float64 `json:"score,omitempty" doc:"Of what is popular, trends or is new: for the last, seconds since the first item came"`
}

// Knowledge is what the build in use knows of an item.
type Knowledge struct {
	Version      int64       `json:"version,omitempty" doc:"The build in use; none where nothing has been learned yet"`
	InBuild      bool        `json:"inBuild" doc:"Whether the item was there when the build was made; what came later is recommended as new"`
	Recommenders []KnowsItem `json:"recommenders" nullable:"false"`
	Related      []Related   `json:"related" nullable:"false" doc:"Those that name anything"`
}

// knowledge tells what each model of the build knows of an item.
func (s *Service) knowledge(key string) *Knowledge {
	k := &Knowledge{Recommenders: []KnowsItem{}, Related: []Related{}}
	snap := s.current.Load()
	if snap == nil {
		return k
	}
	k.Version = snap.version.Version
	number := snap.bundle.Items.Number(key)
	k.InBuild = number != interactions.Unknown
	reasons := map[string]string{modelPersonal: reasonTaste, modelNext: reasonNext, modelAlike: reasonAlike, modelBaskets: reasonTogether, modelContent: reasonContent}
	for _, name := range []string{modelPersonal, modelNext, modelAlike, modelBaskets, modelContent, modelTrending, modelPopular, modelLatest} {
		m := snap.model(name)
		if m == nil {
			continue
		}
		of := KnowsItem{Recommender: name, Method: m.Kind()}
		if k.InBuild {
			switch m := m.(type) {
			case *baskets.Model:
				for _, pairs := range []struct {
					reason string
					list   []baskets.Pair
				}{{reasonTogether, m.Together(number)}, {"bought-after", m.After(number)}} {
					var list []Neighbour
					for _, p := range pairs.list[:min(relatedItems, len(pairs.list))] {
						n := s.neighbour(snap, p.Item, float64(p.Lift))
						n.Count, n.Confidence, n.Direction = p.Count, float64(p.Confidence), float64(p.Direction)
						list = append(list, n)
					}
					of.Knows = k.relate(pairs.reason, list) || of.Knows
				}
			case scoring.Similar:
				var list []Neighbour
				for _, scored := range m.Similar(number, nil, relatedItems, nil) {
					if scored.Score > 0 { // also false for what is not a number
						list = append(list, s.neighbour(snap, scored.Item, float64(scored.Score)))
					}
				}
				of.Knows = k.relate(reasons[name], list)
			default:
				of.Knows, of.Rank, of.Score = ranked(m, number)
			}
		}
		k.Recommenders = append(k.Recommenders, of)
	}
	return k
}

func (k *Knowledge) relate(reason string, list []Neighbour) bool {
	if len(list) == 0 {
		return false
	}
	k.Related = append(k.Related, Related{Reason: reason, Items: list})
	return true
}

func (s *Service) neighbour(snap *snapshot, number int32, score float64) Neighbour {
	n := Neighbour{ID: snap.bundle.Items.ID(number), Score: score}
	if v, ok := s.items.Get(n.ID); ok {
		n.Name, n.Offered = v.Value.Name, s.offered(&v.Value, s.now())
	}
	return n
}

// ranked is the place of an item in what is the same for everybody.
func ranked(m scoring.Model, number int32) (known bool, rank int, score float64) {
	scores := make([]float32, m.Items())
	m.Score(nil, scores)
	own := scores[number]
	if math.IsInf(float64(own), 0) || own != own {
		return false, 0, 0
	}
	rank = 1
	for _, other := range scores {
		if other > own {
			rank++
		}
	}
	return true, rank, float64(own)
}
