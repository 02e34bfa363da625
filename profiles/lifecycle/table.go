package lifecycle

import (
	"quintet/internal/problem"
)

// Table is the whole definition of the lifecycle.
type Table struct {
	Commerce Commerce `json:"commerce,omitempty" doc:"Names of the events and properties that facts are made of"`
	RFM      RFM      `json:"rfm,omitempty"`
	Stages   []Rule   `json:"stages,omitempty" maxItems:"40" doc:"The first that holds is the person's stage"`
	Segments []Rule   `json:"segments,omitempty" maxItems:"40" doc:"The first that holds is the person's lifecycle segment"`
	Losses   []Rule   `json:"losses,omitempty" maxItems:"40" doc:"All that hold are the person's losses"`
}

// Class is where a person stands.
type Class struct {
	// Scores and RFMSegment are zero for those who never ordered.
	Scores     Scores
	RFMSegment string
	Stage      string
	Segment    string
	Losses     []string
}

// Normalise fills in what is left out with the defaults.
func (t *Table) Normalise() {
	t.Commerce.normalise()
	t.RFM.normalise()
	if len(t.Stages) == 0 {
		t.Stages = DefaultStages()
	}
	if len(t.Segments) == 0 {
		t.Segments = DefaultSegments()
	}
	if t.Losses == nil {
		t.Losses = DefaultLosses()
	}
}

// Validate names every field that breaks a rule.
func (t *Table) Validate() error {
	var bad problem.Invalid
	bad.Nest("commerce", t.Commerce.validate().Err())
	bad.Nest("rfm", t.RFM.validate().Err())
	bad.Nest("stages", checkRules(t.Stages, true).Err())
	bad.Nest("segments", checkRules(t.Segments, true).Err())
	bad.Nest("losses", checkRules(t.Losses, false).Err())
	return bad.Err()
}

// Complete fills in the facts that follow from the others and from the cuts.
func (t *Table) Complete(f *Facts, c *Cuts) {
	for _, derived := range []Fact{AverageOrder, SpendQuantile, Recency, Frequency, Monetary} {
		f.Set(derived, Absent())
	}
	orders := f.Get(Orders)
	if !(orders > 0) {
		return
	}
	spend := f.Get(Spend)
	f.Set(AverageOrder, spend/orders)
	f.Set(SpendQuantile, c.Quantile(spend))
	s := c.Score(f.Get(DaysSinceLastOrder), orders, spend)
	f.Set(Recency, float64(s.Recency))
	f.Set(Frequency, float64(s.Frequency))
	f.Set(Monetary, float64(s.Monetary))
}

// Classify says where a person with the base facts stands among customers with
// the cuts. It completes the facts.
func (t *Table) Classify(f *Facts, c *Cuts) Class {
	t.Complete(f, c)
	class := Class{Stage: first(t.Stages, f), Segment: first(t.Segments, f)}
	if f.Get(Orders) > 0 {
		class.Scores = Scores{int(f.Get(Recency)), int(f.Get(Frequency)), int(f.Get(Monetary))}
		class.RFMSegment = t.RFM.Segment(class.Scores)
	}
	for i := range t.Losses {
		if t.Losses[i].Holds(f) {
			class.Losses = append(class.Losses, t.Losses[i].Key)
		}
	}
	return class
}

func first(list []Rule, f *Facts) string {
	for i := range list {
		if list[i].Holds(f) {
			return list[i].Key
		}
	}
	return ""
}
