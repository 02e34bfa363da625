package shop

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"sort"
	"text/tabwriter"

	"quintet/internal/client"
)

// Truth is what the logged decisions of the shop were truly worth, in expected
// margin per decision net of contact cost.
type Truth struct {
	Decisions int      `json:"decisions"`
	Variants  []Worth  `json:"variants"`
	Policies  []Worth  `json:"policies"`
	Gain      float64  `json:"gain"` // learned minus even choice, on the decisions that each made
	Reached   int      `json:"holdoutReached"`
	Unknown   []string `json:"unknownActions,omitempty"`
}

// Worth is the mean expected value of decisions.
type Worth struct {
	Name      string  `json:"name"`
	Decisions int     `json:"decisions"`
	Value     float64 `json:"value"`
}

// logged is a decision as the log has it.
type logged struct {
	DecisionID    string         `json:"decisionId"`
	Group         string         `json:"group"`
	Action        string         `json:"action"`
	Candidates    []string       `json:"candidates"`
	Probabilities []float64      `json:"probabilities"`
	Context       map[string]any `json:"context"`
	Experiments   []struct {
		Key     string `json:"key"`
		Variant string `json:"variant"`
	} `json:"experiments"`
}

// Judge reads the log of decisions and values each of them with the response
// that only the simulator knows.
func Judge(ctx context.Context, c *client.Client, w *World) (*Truth, error) {
	j := newJudge(w)
	after := ""
	for {
		var page struct {
			Items []logged `json:"items"`
			Next  string   `json:"next"`
		}
		query := url.Values{"decisionPoint": {DecisionPoint}, "limit": {"2000"}, "after": {after}}
		if err := c.Get(ctx, "/v1/decisions/log?"+query.Encode(), &page); err != nil {
			return nil, fmt.Errorf("reading the log of decisions: %w", err)
		}
		for i := range page.Items {
			j.add(&page.Items[i])
		}
		if page.Next == "" {
			break
		}
		after = page.Next
	}
	return j.truth(), nil
}

type tally struct {
	n   int
	sum float64
}

func (t *tally) add(x float64) { t.n++; t.sum += x }

func (t *tally) mean() float64 {
	if t.n == 0 {
		return 0
	}
	return t.sum / float64(t.n)
}

type judge struct {
	world     *World
	decisions int
	reached   int
	variants  map[string]*tally
	uniform   tally
	oracle    tally
	learned   tally
	nothing   tally
	fixed     map[string]*tally
	unknown   map[string]bool
}

func newJudge(w *World) *judge {
	return &judge{world: w, variants: make(map[string]*tally), fixed: make(map[string]*tally), unknown: make(map[string]bool)}
}

func (j *judge) add(d *logged) {
	number, ok := d.Context["visit"].(float64)
	if !ok || number < 0 {
		return // not a visit of the shop
	}
	v := j.world.Visit(uint64(number))
	j.decisions++
	if d.Group == "holdout" {
		if d.Action != "" && d.Action != "none" {
			j.reached++
		}
		return
	}
	value, ok := v.Expected(d.Action)
	if !ok {
		j.unknown[d.Action] = true
		return
	}
	variant := ""
	for _, e := range d.Experiments {
		if e.Key == Experiment {
			variant = e.Variant
			if j.variants[variant] == nil {
				j.variants[variant] = new(tally)
			}
			j.variants[variant].add(value)
		}
	}
	j.policies(d, &v, variant == "learned")
}

// policies values what other policies would have done with the same visit.
func (j *judge) policies(d *logged, v *Visit, learned bool) {
	var even, best, drawn float64
	for i, action := range d.Candidates {
		value, ok := v.Expected(action)
		if !ok {
			j.unknown[action] = true
			return
		}
		even += value / float64(len(d.Candidates))
		if i == 0 || value > best {
			best = value
		}
		if i < len(d.Probabilities) {
			drawn += d.Probabilities[i] * value
		}
		if j.fixed[action] == nil {
			j.fixed[action] = new(tally)
		}
		j.fixed[action].add(value)
	}
	if len(d.Candidates) == 0 {
		return
	}
	nothing, _ := v.Expected("none")
	j.nothing.add(nothing)
	j.uniform.add(even)
	j.oracle.add(best)
	if learned {
		j.learned.add(drawn)
	}
}

func (j *judge) truth() *Truth {
	t := &Truth{Decisions: j.decisions, Reached: j.reached}
	for _, name := range sortedKeys(j.variants) {
		t.Variants = append(t.Variants, Worth{Name: name, Decisions: j.variants[name].n, Value: j.variants[name].mean()})
	}
	if even, learned := j.variants["even"], j.variants["learned"]; even != nil && learned != nil {
		t.Gain = learned.mean() - even.mean()
	}
	// The best fixed action among those that nearly everybody can get.
	best, bestName := tally{}, ""
	for _, name := range sortedKeys(j.fixed) {
		if f := j.fixed[name]; f.n >= j.uniform.n*9/10 && (bestName == "" || f.mean() > best.mean()) {
			best, bestName = *f, name
		}
	}
	for _, p := range []struct {
		name string
		t    tally
	}{{"nothing", j.nothing}, {"even choice", j.uniform}, {"always " + bestName, best}, {"learned, as it was", j.learned}, {"oracle", j.oracle}} {
		if p.t.n > 0 {
			t.Policies = append(t.Policies, Worth{Name: p.name, Decisions: p.t.n, Value: p.t.mean()})
		}
	}
	t.Unknown = sortedKeys(j.unknown)
	return t
}

// WriteText prints the truth for people.
func (t *Truth) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\t%d decisions of the shop, expected margin per decision net of contact cost\t\t\n\n", t.Decisions)
	fmt.Fprintf(w, "decisions of the experiment's variants\tdecisions\ttrue value\t\n")
	for _, v := range t.Variants {
		fmt.Fprintf(w, "%s\t%d\t%.5f\t\n", v.Name, v.Decisions, v.Value)
	}
	fmt.Fprintf(w, "learned minus even\t\t%+.5f\t\n\n", t.Gain)
	fmt.Fprintf(w, "policies on the visits of everybody outside the holdout\tdecisions\ttrue value\t\n")
	for _, p := range t.Policies {
		fmt.Fprintf(w, "%s\t%d\t%.5f\t\n", p.Name, p.Decisions, p.Value)
	}
	fmt.Fprintf(w, "\nadvertising that reached the holdout\t%d\t\t\n", t.Reached)
	for _, u := range t.Unknown {
		fmt.Fprintf(w, "unknown action %q left out\t\t\t\n", u)
	}
	return w.Flush()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
