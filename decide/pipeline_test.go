package decide

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"quintet/experiments"
	"quintet/internal/problem"
	"quintet/profiles"
)

// checkRecord checks what must hold for every record.
func checkRecord(t *testing.T, p *point, rec *Record) {
	t.Helper()
	if !rec.Eligible {
		if rec.Action != "" || rec.Propensity != 0 || len(rec.Reasons) == 0 {
			t.Errorf("ineligible, but action %q with propensity %g and reasons %v", rec.Action, rec.Propensity, rec.Reasons)
		}
		return
	}
	sum, least := 0.0, 0.0
	if rec.ModelVersion > 0 {
		least = *p.def.Policy.Exploration / float64(len(rec.Candidates))
	}
	for i, q := range rec.Probabilities {
		sum += q
		if q < least {
			t.Errorf("probability %d is %g, below the floor %g", i, q, least)
		}
	}
	if math.Abs(sum-1) > 1e-12 {
		t.Errorf("probabilities sum to %.17g", sum)
	}
	i := slices.Index(rec.Candidates, rec.Action)
	if i < 0 || rec.Probabilities[i] != rec.Propensity {
		t.Fatalf("propensity %g of %q is not that of the distribution %v over %v", rec.Propensity, rec.Action, rec.Probabilities, rec.Candidates)
	}
	f := rec.Propensities
	if product := f.What * f.Where * f.When * f.How; math.Abs(product-rec.Propensity) > 1e-12 {
		t.Errorf("the factors %+v multiply to %g, want %g", f, product, rec.Propensity)
	}
	// By hand: what is the mass of the offer, where that of the channel within it.
	var what, where float64
	for j, id := range rec.Candidates {
		a := p.actions[p.byID[id]]
		if a.offerKey == rec.Offer {
			what += rec.Probabilities[j]
			if a.chanKey == rec.Channel {
				where += rec.Probabilities[j]
			}
		}
	}
	if math.Abs(f.What-what) > 1e-12 || math.Abs(f.Where-where/what) > 1e-12 || f.When != 1 || math.Abs(f.How-rec.Propensity/where) > 1e-12 {
		t.Errorf("factors %+v, want what %g and where %g", f, what, where/what)
	}
}

func TestUniformPolicyAndRemovedActions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	w.put(t, "hero", hero(func(p *DecisionPoint) {
		p.Offers = []string{"spring", "off", "later", "over"}
		p.Channels = []string{"onsite", "email", "sms"}
		p.Creatives = []Creative{{Key: "a", Tone: "formal", Imagery: "bright"}}
	}))
	w.person(1) // has an address
	w.person(3) // has none
	for _, tt := range []struct {
		name       string
		user       int
		candidates []string
		removed    map[string]string
	}{
		{"with an address", 1, []string{"spring/onsite/a", "spring/email/a", "none"}, map[string]string{"spring/sms/a": "channel-inactive"}},
		{"without", 3, []string{"spring/onsite/a", "none"}, map[string]string{"spring/sms/a": "channel-inactive", "spring/email/a": "channel-unreachable"}},
		{"unknown", 1000, []string{"spring/onsite/a", "none"}, map[string]string{"spring/sms/a": "channel-inactive", "spring/email/a": "channel-unreachable"}},
	} {
		req := Request{Decision: "hero", User: map[string]string{"userId": fmt.Sprint("u", tt.user)}}
		resp, rec := w.ask(t, req)
		checkRecord(t, w.state.Load().points["hero"], rec)
		if !slices.Equal(rec.Candidates, tt.candidates) {
			t.Errorf("%s: candidates %v, want %v", tt.name, rec.Candidates, tt.candidates)
		}
		got := make(map[string]string)
		for _, r := range rec.Removed {
			got[r.Action] = r.Rule
		}
		for offer, rule := range map[string]string{"off": "offer-inactive", "later": "offer-not-started", "over": "offer-ended"} {
			for _, c := range []string{"onsite", "email", "sms"} {
				tt.removed[offer+"/"+c+"/a"] = rule
			}
		}
		if len(got) != len(tt.removed) || len(rec.Removed) != len(got) {
			t.Errorf("%s: removed %v, want %v", tt.name, got, tt.removed)
		}
		for action, rule := range tt.removed {
			if got[action] != rule {
				t.Errorf("%s: %s removed by %q, want %q", tt.name, action, got[action], rule)
			}
		}
		if want := 1 / float64(len(tt.candidates)); math.Abs(resp.Propensity-want) > 1e-15 || resp.Policy.Type != PolicyUniform {
			t.Errorf("%s: propensity %g of %s, want %g", tt.name, resp.Propensity, resp.Policy.Type, want)
		}
		if resp.Who.ProfileID != profiles.NewID(profiles.Identifier{Namespace: "userId", Value: fmt.Sprint("u", tt.user)}) {
			t.Errorf("%s: profile %q", tt.name, resp.Who.ProfileID)
		}
		if rec.Source != "key-1" || rec.PointVersion != 1 || rec.Class != ClassAdvertising {
			t.Errorf("%s: record %+v", tt.name, rec)
		}
	}
	// An offer and a channel that are gone.
	if err := w.offers.Delete(t.Context(), "off", "test"); err != nil {
		t.Fatal(err)
	}
	if err := w.channels.Delete(t.Context(), "sms", "test"); err != nil {
		t.Fatal(err)
	}
	_, rec := w.ask(t, Request{Decision: "hero", User: w.person(1)})
	for _, want := range []Removal{{"off/onsite/a", "offer-unknown"}, {"spring/sms/a", "channel-unknown"}} {
		if !slices.Contains(rec.Removed, want) {
			t.Errorf("removed %v lacks %v", rec.Removed, want)
		}
	}
}

func TestFixedPolicyAndNoAction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	fixed := func(action, otherwise string, none bool) func(*DecisionPoint) {
		return func(p *DecisionPoint) {
			p.Policy, p.DefaultAction, p.NoneAction = Policy{Type: PolicyFixed, Action: action}, otherwise, &none
		}
	}
	w.put(t, "plain", hero(fixed("spring/onsite/b", "", true)))
	w.put(t, "email", hero(fixed("spring/email/a", "summer/onsite/a", true)))
	w.put(t, "email-only", hero(fixed("spring/email/a", "summer/email/a", true)))
	w.put(t, "must", hero(fixed("spring/email/a", "summer/email/a", false)))
	w.put(t, "nobody", hero(fixed("none", "", false)))
	w.put(t, "closed", hero(func(p *DecisionPoint) { p.Offers, p.NoneAction = []string{"off", "over"}, new(false) }))
	for _, tt := range []struct {
		point  string
		user   int
		action string
	}{
		{"plain", 1, "spring/onsite/b"}, {"email", 1, "spring/email/a"}, {"email", 3, "summer/onsite/a"},
		{"email-only", 3, NoneAction}, {"must", 3, "spring/onsite/a"}, {"nobody", 1, NoneAction}, {"closed", 1, ""},
	} {
		resp, rec := w.ask(t, Request{Decision: tt.point, User: w.person(tt.user)})
		checkRecord(t, w.state.Load().points[tt.point], rec)
		if rec.Action != tt.action {
			t.Errorf("%s for %d: %q, want %q", tt.point, tt.user, rec.Action, tt.action)
		}
		switch tt.action {
		case "":
			if resp.Who.Eligible || !slices.Equal(resp.Who.Reasons, []string{"no-eligible-action"}) || resp.What != nil {
				t.Errorf("%s: %+v", tt.point, resp)
			}
		case NoneAction:
			if !resp.Who.Eligible || resp.What != nil || resp.Where != nil || resp.When != nil || resp.How != nil || resp.Propensity != 1 {
				t.Errorf("%s: sending nothing has %+v", tt.point, resp)
			}
		default:
			if resp.Propensity != 1 || resp.What.Offer+"/"+resp.Where.Channel+"/"+resp.How.Creative != tt.action {
				t.Errorf("%s: answer %+v", tt.point, resp)
			}
		}
	}
	resp, rec := w.ask(t, Request{Decision: "email", User: w.person(1)})
	if rec.ContactCost != 0.02 || resp.How.Tone != "formal" || !resp.When.SendAt.Equal(rec.DecidedAt) {
		t.Errorf("cost %g, how %+v, when %+v", rec.ContactCost, resp.How, resp.When)
	}
	if _, err := w.Decide(t.Context(), &Request{Decision: "unheard-of", User: w.person(1)}, ""); problem.From(err).GetStatus() != 404 ||
		len(problem.From(err).Fields) != 1 || problem.From(err).Fields[0].Field != "decision" {
		t.Errorf("unknown decision point: %v", err)
	}
	wantFields(t, func() error { _, err := w.Decide(t.Context(), &Request{Decision: "plain"}, ""); return err }(), "user")
}

func TestItemsStockAndExpiry(t *testing.T) {
	t.Parallel()
	sold := shelf{}
	w := newWorld(t, worldOptions{noSink: true, change: func(d *Deps) { d.Stock = sold }})
	now := time.Date(2026, 11, 22, 18, 0, 0, 123456789, time.FixedZone("", 3*3600))
	w.stand(now)
	w.put(t, "hero", hero(func(p *DecisionPoint) {
		p.Policy, p.ExpiresAfterMinutes = Policy{Type: PolicyFixed, Action: "spring/onsite/a"}, 1.5
	}))
	sold["sku-2"] = true
	for _, tt := range []struct {
		limit int
		want  []string
	}{{0, []string{"sku-1", "sku-3"}}, {1, []string{"sku-1"}}, {2, []string{"sku-1", "sku-3"}}, {50, []string{"sku-1", "sku-3"}}} {
		resp, rec := w.ask(t, Request{Decision: "hero", User: w.person(1), Limit: tt.limit})
		var got []string
		for _, item := range resp.What.Items {
			got = append(got, item.ID)
		}
		if !slices.Equal(got, tt.want) || !slices.Equal(rec.Items, tt.want) {
			t.Errorf("limit %d: items %v, recorded %v, want %v", tt.limit, got, rec.Items, tt.want)
		}
		decided := time.Date(2026, 11, 22, 15, 0, 0, 123000000, time.UTC)
		if !rec.DecidedAt.Equal(decided) || !resp.ExpiresAt.Equal(decided.Add(90*time.Second)) {
			t.Errorf("decided at %s, expires at %s", rec.DecidedAt, resp.ExpiresAt)
		}
	}
}

func TestDrawsFollowTheDistribution(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	w.put(t, "hero", hero())
	const n = 4000
	counts := make(map[string]float64)
	for i := range n {
		_, rec := w.ask(t, Request{Decision: "hero", User: w.person(1), Context: map[string]any{"hour": float64(i % 24)}})
		counts[rec.Action]++
	}
	var chi float64
	for _, c := range counts {
		chi += (c - n/9.) * (c - n/9.) / (n / 9.)
	}
	// The 0.99999 quantile of χ² with 8 degrees of freedom is 37.3.
	if len(counts) != 9 || chi > 37.3 {
		t.Errorf("χ² = %.1f over %v", chi, counts)
	}
}

func TestHoldoutIsForAdvertisingOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true, holdout: 0.3})
	w.put(t, "hero", hero())
	w.put(t, "receipt", hero(func(p *DecisionPoint) { p.Class = ClassService }))
	held := 0
	for i := range 400 {
		resp, rec := w.ask(t, Request{Decision: "hero", User: w.person(i)})
		other, service := w.ask(t, Request{Decision: "receipt", User: w.person(i)})
		if other.Who.Group != GroupTreated || !other.Who.Eligible || len(service.Experiments) != 0 {
			t.Fatalf("service message: %+v", other)
		}
		if len(rec.Experiments) != 1 || rec.Experiments[0].Key != experiments.UniversalExperiment || rec.Experiments[0].Version != 2 {
			t.Fatalf("experiments %+v", rec.Experiments)
		}
		isHeld := experiments.Bucket(experiments.UniversalExperiment, rec.ProfileID) < 0.3
		if !isHeld {
			if resp.Who.Group != GroupTreated || rec.Experiments[0].Variant != experiments.TreatedVariant || !resp.Who.Eligible {
				t.Fatalf("not held out: %+v", resp)
			}
			continue
		}
		held++
		if resp.Who.Group != GroupHoldout || resp.Who.Eligible || resp.What != nil || resp.Where != nil || !slices.Equal(resp.Who.Reasons, []string{"universal-holdout"}) ||
			rec.Action != "" || rec.Experiments[0].Variant != experiments.HoldoutVariant || rec.Policy != "none" || len(rec.Candidates) != 0 {
			t.Fatalf("held out: %+v, record %+v", resp, rec)
		}
	}
	if held < 80 || held > 160 {
		t.Errorf("%d of 400 are held out, want about 120", held)
	}
}

func TestExperimentsOverrideThePolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	base := func(p *DecisionPoint) { p.NoneAction, p.DefaultAction = new(false), "none" }
	w.put(t, "hero", hero(base))
	w.put(t, "offer", hero(func(p *DecisionPoint) { p.DefaultAction = "summer/onsite/b" }))
	variants := []experiments.Variant{
		{Key: "base", Weight: 0.4, Control: true},
		{Key: "same", Weight: 0.2},
		{Key: "fixed", Weight: 0.4, Policy: json.RawMessage(`{"type":"fixed","action":"spring/onsite/a"}`)},
	}
	w.start(t, "hero-test", experiments.Experiment{DecisionPoint: "hero", Variants: variants})
	w.start(t, "offer-test", experiments.Experiment{DecisionPoint: "offer", Variants: variants})
	seen := make(map[string]int)
	for i := range 200 {
		for point, baseline := range map[string]string{"hero": NoneAction, "offer": "summer/onsite/b"} {
			resp, rec := w.ask(t, Request{Decision: point, User: w.person(i)})
			checkRecord(t, w.state.Load().points[point], rec)
			if len(resp.Experiments) != 2 || resp.Experiments[1].Key != point+"-test" {
				t.Fatalf("experiments %+v", resp.Experiments)
			}
			variant := resp.Experiments[1].Variant
			seen[point+variant]++
			switch variant {
			case "base":
				if resp.Who.Group != GroupControl || rec.Action != baseline || resp.Propensity != 1 || rec.Policy != PolicyFixed {
					t.Fatalf("control at %s: %q by %s", point, rec.Action, rec.Policy)
				}
			case "same":
				if resp.Who.Group != GroupTreated || rec.Policy != PolicyUniform || resp.Propensity == 1 || slices.Contains(rec.Candidates, NoneAction) == (point == "hero") {
					t.Fatalf("variant without policy: %+v", rec)
				}
			case "fixed":
				if resp.Who.Group != GroupTreated || rec.Action != "spring/onsite/a" {
					t.Fatalf("variant with policy: %+v", rec)
				}
			}
		}
	}
	if len(seen) != 6 {
		t.Errorf("variants seen: %v", seen)
	}
	// The same person gets the same variant ever after.
	first, _ := w.ask(t, Request{Decision: "hero", User: w.person(5)})
	again, _ := w.ask(t, Request{Decision: "hero", User: w.person(5), Context: map[string]any{"x": 1.0}})
	if !slices.Equal(first.Experiments, again.Experiments) {
		t.Error("another variant at the second call")
	}
}

func TestReferencesAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	put := func(p DecisionPoint) error { _, err := w.points.Put(t.Context(), "hero", p, "test", 0); return err }
	wantFields(t, put(hero(func(p *DecisionPoint) { p.Offers, p.Channels = []string{"spring", "lost"}, []string{"pigeon", "email"} })), "offers[1]", "channels[0]")
	if err := put(hero()); err != nil {
		t.Fatal(err)
	}
	trial := func(policy string) experiments.Experiment {
		return experiments.Experiment{DecisionPoint: "hero", Variants: []experiments.Variant{
			{Key: "a", Weight: 0.5, Control: true}, {Key: "b", Weight: 0.5, Policy: json.RawMessage(policy)}}}
	}
	define := func(e experiments.Experiment) error {
		_, err := w.tests.Definitions().Put(t.Context(), "trial", e, "test", 0)
		return err
	}
	wantFields(t, define(trial(`{"type":"fixed","action":"winter/email/a"}`)), "variants[1].policy.action")
	wantFields(t, define(trial(`{"kind":"uniform"}`)), "variants[1].policy")
	w.start(t, "trial", trial(`{"type":"fixed","action":"summer/email/a"}`))
	// Without the offer the running variant could not do what it says.
	wantFields(t, put(hero(func(p *DecisionPoint) { p.Offers = []string{"spring"} })), "policy")
	if _, err := w.tests.Stop(t.Context(), "trial", "test"); err != nil {
		t.Fatal(err)
	}
	wantFields(t, put(hero(func(p *DecisionPoint) { p.Offers = []string{"spring"} })))
}

func TestSpecs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	bandit := func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyBandit, HalfLifeDays: 7} }
	w.put(t, "b-bandit", hero(bandit))
	w.put(t, "a-tested", hero())
	w.put(t, "uniform", hero())
	w.put(t, "no-features", hero(bandit, func(p *DecisionPoint) { p.Features = nil }))
	w.start(t, "trial", experiments.Experiment{DecisionPoint: "a-tested", Variants: []experiments.Variant{
		{Key: "a", Weight: 0.5, Control: true}, {Key: "b", Weight: 0.5, Policy: json.RawMessage(`{"type":"bandit","halfLifeDays":3}`)}}})
	specs := w.Specs()
	if len(specs) != 2 || specs[0].DecisionPoint != "a-tested" || specs[0].HalfLifeDays != 3 || specs[1].DecisionPoint != "b-bandit" || specs[1].HalfLifeDays != 7 ||
		specs[1].Since != 1 || len(specs[1].Encoder.Fields) != 2 || specs[1].Objective.WindowHours != 24 {
		t.Fatalf("specs %+v", specs)
	}
	// A change of the policy keeps what the features mean, a change of them does not.
	w.put(t, "b-bandit", hero(bandit, func(p *DecisionPoint) { p.Policy.Alpha = 1 }))
	if specs = w.Specs(); specs[1].Since != 1 {
		t.Errorf("since version %d, want 1", specs[1].Since)
	}
	w.put(t, "b-bandit", hero(bandit, func(p *DecisionPoint) { p.Features = p.Features[:1] }))
	if specs = w.Specs(); specs[1].Since != 3 {
		t.Errorf("since version %d, want 3", specs[1].Since)
	}
}
