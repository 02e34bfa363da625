package baskets_test

import (
	"math"
	"slices"
	"strconv"
	"testing"

	"quintet/recommend/baskets"
	"quintet/recommend/interactions"
)

const day = 86_400

// Forty people buy a phone, half of them with a case in the same basket; ten days later
// most buy a charger, some had it five days before. Sixty others buy bread.
func shop(t *testing.T) *interactions.Log {
	var b interactions.Builder
	add := func(person int, item string, at int64) {
		if err := b.Add("p"+strconv.Itoa(person), item, 1, at); err != nil {
			t.Fatal(err)
		}
	}
	for p := range 40 {
		start := int64(20+p) * day
		add(p, "phone", start)
		if p%2 == 0 {
			add(p, "case", start+60)
		}
		if p < 30 {
			add(p, "charger", start+10*day)
		} else if p < 35 {
			add(p, "charger", start-5*day)
		}
	}
	for p := 40; p < 100; p++ {
		add(p, "bread", int64(p)*day)
		add(p, "bread", int64(p)*day+30)
	}
	return b.Build()
}

func find(pairs []baskets.Pair, item int32) (baskets.Pair, bool) {
	i := slices.IndexFunc(pairs, func(p baskets.Pair) bool { return p.Item == item })
	if i < 0 {
		return baskets.Pair{}, false
	}
	return pairs[i], true
}

func TestPairsByHand(t *testing.T) {
	t.Parallel()
	l := shop(t)
	m, err := baskets.Train(t.Context(), l, baskets.Settings{Shrinkage: 2})
	if err != nil {
		t.Fatal(err)
	}
	n := l.Items().Number
	// 40 baskets with the phone, 20 with the case, all of them with both; of 135.
	pair, ok := find(m.Together(n("phone")), n("case"))
	if want := (20. + 2) / (40.*20/135 + 2); !ok || pair.Count != 20 || math.Abs(float64(pair.Lift)-want) > 1e-5 || pair.Confidence != .5 {
		t.Errorf("phone and case: %+v, want a lift of %v", pair, want)
	}
	if _, ok := find(m.Together(n("phone")), n("charger")); ok {
		t.Error("the charger, ten days later, is in the phone's basket")
	}
	// Of 40 with the phone, 30 had the charger later and 5 before; of 100 people 35 have one.
	pair, ok = find(m.After(n("phone")), n("charger"))
	if want := (30. + 2) / (40.*35/100/2 + 2); !ok || pair.Count != 30 || math.Abs(float64(pair.Lift)-want) > 1e-5 || pair.Confidence != .75 {
		t.Errorf("the charger after the phone: %+v, want a lift of %v", pair, want)
	}
	// Wilson's interval for 30 of 35 begins at 0.7062 (Newcombe 1998's formula).
	if math.Abs(float64(pair.Direction)-.7062) > .0005 {
		t.Errorf("the direction is at least %v, want 0.706", pair.Direction)
	}
	if _, ok := find(m.After(n("charger")), n("phone")); ok {
		t.Error("the phone comes after the charger, which only five people had first")
	}
	if _, ok := find(m.After(n("phone")), n("case")); ok {
		t.Error("the case of the same basket comes after the phone")
	}
	if got := m.Complements(n("phone"), nil, 1, nil); len(got) != 1 || got[0].Item != n("charger") {
		t.Errorf("complements of the phone are %v", got)
	}
	scores := make([]float32, m.Items())
	m.Score([]interactions.Event{{Item: n("phone")}, {Item: n("phone")}, {Item: -1}, {Item: 99}}, scores)
	if math.Abs(float64(scores[n("case")])-math.Log(float64(22./(40.*20/135+2)))) > 1e-5 || !math.IsInf(float64(scores[n("bread")]), -1) {
		t.Errorf("a cart with a phone scores %v", scores)
	}
	if got := m.Explain([]interactions.Event{{Item: n("bread")}, {Item: n("phone")}}, n("case"), 3); len(got) != 1 || got[0].Item != n("phone") {
		t.Errorf("the case is explained by %v", got)
	}
}

func TestNothingAndTooMuch(t *testing.T) {
	t.Parallel()
	var b interactions.Builder
	if m, err := baskets.Train(t.Context(), b.Build(), baskets.Settings{}); err != nil || m.Items() != 0 {
		t.Errorf("of nothing: %v", err)
	}
	// A robot that buys everything at once, a thousand times, is bounded by its basket.
	for i := range 100_000 {
		if err := b.Add("robot", strconv.Itoa(i%1000), 1, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := baskets.Train(t.Context(), b.Build(), baskets.Settings{}); err != nil {
		t.Error(err)
	}
	for _, bad := range []baskets.Settings{{Gap: -1}, {MaxBasket: 1}, {Shrinkage: math.NaN()}, {Neighbours: -2}} {
		if _, err := baskets.Train(t.Context(), b.Build(), bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
