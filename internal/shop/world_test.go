package shop

import (
	"math"
	"testing"
)

func TestWorldFollowsFromItsSeed(t *testing.T) {
	t.Parallel()
	a, b, c := NewWorld(7, 300), NewWorld(7, 300), NewWorld(8, 300)
	for i := range a.Customers {
		if a.Customers[i] != b.Customers[i] {
			t.Fatalf("customer %d differs between two worlds of one seed", i)
		}
	}
	same := 0
	for n := range uint64(1000) {
		va, vb, vc := a.Visit(n), b.Visit(n), c.Visit(n)
		if va.Customer.Index != vb.Customer.Index || va.Hour != vb.Hour || va.Device != vb.Device {
			t.Fatalf("visit %d differs between two worlds of one seed", n)
		}
		oa, ba := a.respond(&va, "spring-sale/onsite/warm")
		ob, bb := b.respond(&vb, "spring-sale/onsite/warm")
		if oa != ob || ba != bb {
			t.Fatalf("the response to visit %d differs between two worlds of one seed", n)
		}
		if va.Customer.Index == vc.Customer.Index {
			same++
		}
	}
	if same > 30 {
		t.Errorf("%d of 1000 visits have the same customer in two worlds, want about 3", same)
	}
}

// The truth that reports are checked against has to be what the simulator does.
func TestExpectedIsTheMeanOfResponses(t *testing.T) {
	t.Parallel()
	w := NewWorld(3, 500)
	for _, action := range []string{"", "none", "spring-sale/email/precise", "new-outdoor/push/warm"} {
		var sum, squares, expected float64
		const n = 200_000
		p, ok := resolve(action)
		if !ok {
			t.Fatalf("action %q is not the shop's", action)
		}
		for i := range uint64(n) {
			v := w.Visit(i)
			o, bought := w.respond(&v, action)
			x := -p.cost()
			if bought {
				x += o.margin
			}
			sum += x
			squares += x * x
			e, _ := v.Expected(action)
			expected += e
		}
		mean, truth := sum/n, expected/n
		se := math.Sqrt((squares/n - mean*mean) / n)
		if math.Abs(mean-truth) > 4*se {
			t.Errorf("action %q: mean response %.5f, expected %.5f, more than 4 standard errors (%.5f) apart", action, mean, truth, se)
		}
	}
}

// Learning must be able to pay: the best action differs between people, and is
// worth clearly more than even choice and than any fixed action.
func TestThereIsSomethingToLearn(t *testing.T) {
	t.Parallel()
	w := NewWorld(1, 2000)
	j := newJudge(w)
	actions := []string{"none"}
	for _, o := range offers {
		for _, c := range channels {
			for _, x := range creatives {
				actions = append(actions, o.key+"/"+c.key+"/"+x.key)
			}
		}
	}
	q := make([]float64, len(actions))
	for i := range q {
		q[i] = 1 / float64(len(q))
	}
	for n := range uint64(20_000) {
		j.add(&logged{Action: "none", Candidates: actions, Probabilities: q, Context: map[string]any{"visit": float64(n)}})
	}
	value := make(map[string]float64)
	var fixed float64
	for _, p := range j.truth().Policies {
		value[p.Name] = p.Value
		if len(p.Name) > 7 && p.Name[:7] == "always " {
			fixed = p.Value
		}
	}
	t.Logf("policies: %v", value)
	if !(value["oracle"] > 1.15*fixed && fixed > value["even choice"] && value["even choice"] > value["nothing"]) {
		t.Errorf("want oracle > 1.15 x best fixed > even choice > nothing, have %v", value)
	}
}

func TestUnknownActionsAreNotValued(t *testing.T) {
	t.Parallel()
	w := NewWorld(1, 10)
	v := w.Visit(0)
	for _, action := range []string{"spring-sale", "spring-sale/email", "spring-sale/fax/warm", "a/b/c/d"} {
		if _, ok := v.Expected(action); ok {
			t.Errorf("Expected(%q) is known, want unknown", action)
		}
	}
}
