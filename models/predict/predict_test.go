package predict

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"quintet/internal/learners"
	"quintet/internal/problem"
)

// One model through its whole life: refused without data, trained, judged, promoted,
// scored, explained, challenged, rolled back, and refused when its artefact is damaged.
func TestChurnLifecycle(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	ctx := t.Context()
	b.define("churn", Spec{Family: Churn, HorizonDays: 30, ActiveDays: 120})
	var refused *problem.Error
	if _, err := b.Train(ctx, "churn"); !errors.As(err, &refused) || refused.Status != http.StatusUnprocessableEntity {
		t.Fatalf("trained on nothing: %v", err)
	}
	if jobs, err := b.Jobs(ctx, "churn", 5); err != nil || len(jobs) != 1 || jobs[0].Error == "" || jobs[0].EndedAt == nil {
		t.Fatalf("%+v %v", jobs, err)
	}
	if _, err := b.Score(ctx, "churn"); !errors.As(err, &refused) || refused.Status != http.StatusConflict {
		t.Errorf("scored without a champion: %v", err)
	}
	n := 800
	b.log(customers(n, 1))
	v, err := b.Train(ctx, "churn")
	if err != nil {
		t.Fatal(err)
	}
	if v.Version != 1 || v.State != Challenger || !v.Metrics.Sane || v.Metrics.Test.AUC < .65 || len(v.Metrics.Importance) == 0 || len(v.Metrics.Candidates) != 6 {
		encoded, _ := json.MarshalIndent(v, "", " ")
		t.Fatalf("%s", encoded)
	}
	t.Logf("%s: %s, calibration error %.3f (noise %.3f), %d bytes", v.Learner, v.Verdict, v.Metrics.Calibrated.Error, v.Metrics.Calibrated.Noise, v.Bytes)
	if _, err := b.Promote(ctx, "churn", 1); err != nil {
		t.Fatal(err)
	}
	scoring, err := b.Score(ctx, "churn")
	if err != nil {
		t.Fatal(err)
	}
	var people uint64
	var attributes string
	if err := b.clickhouse.Read.QueryRow(ctx, "SELECT count(), any(attributes) FROM ("+b.Attributes()+")").Scan(&people, &attributes); err != nil {
		t.Fatal(err)
	}
	var read map[string]float64
	if err := json.Unmarshal([]byte(attributes), &read); err != nil || int(people) != scoring.People || people == 0 {
		t.Fatalf("%d people, %s: %v", people, attributes, err)
	}
	if p := read["churnProbability"]; p < 0 || p > 1 || read["churnProbabilityLow"] > p || read["churnProbabilityHigh"] < p {
		t.Errorf("%v", read)
	}
	// The reasons of one person come with the same score.
	var who string
	if err := b.clickhouse.Read.QueryRow(ctx, "SELECT person_id, attributes FROM person_scores LIMIT 1").Scan(&who, &attributes); err != nil {
		t.Fatal(err)
	}
	why, err := b.Explain(ctx, "churn", who)
	if err != nil || len(why.Reasons) == 0 || !strings.Contains(attributes, fmt.Sprintf(`"churnProbability":%v,`, why.Score)) {
		t.Errorf("%+v, %s, %v", why, attributes, err)
	}
	if nobody, err := b.Explain(ctx, "churn", "nobody"); err != nil || nobody.Known || nobody.Reasons == nil || !why.Known {
		t.Errorf("why of somebody unknown: %+v %v", nobody, err)
	}
	b.scoresInShares("churn")
	if left := b.everybody("churn", now.AddDate(2, 0, 0)); len(left) != 0 {
		t.Errorf("%d people are scored who have not bought for two years", len(left))
	}
	b.clock = now
	// A second version is compared with the champion on the same people.
	second, err := b.Train(ctx, "churn")
	if err != nil {
		t.Fatal(err)
	}
	if second.Version != 2 || second.Metrics.Champion == nil || math.Abs(second.Metrics.Champion.Better) > 1e-9 {
		t.Errorf("the same training gives another model: %+v", second.Metrics.Champion)
	}
	if _, err := b.Promote(ctx, "churn", 2); err != nil {
		t.Fatal(err)
	}
	back, err := b.RollBack(ctx, "churn")
	if err != nil || back.Version != 1 || back.State != Champion {
		t.Fatalf("%+v %v", back, err)
	}
	// A damaged artefact is neither promoted nor scored with.
	if _, err := b.store.pool.Exec(ctx, "UPDATE prediction_versions SET artefact = set_byte(artefact, 100, get_byte(artefact, 100) # 255)"); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	clear(b.loaded)
	b.mu.Unlock()
	if _, err := b.Score(ctx, "churn"); !errors.Is(err, learners.ErrArtefact) {
		t.Errorf("a damaged artefact scores: %v", err)
	}
	if _, err := b.Promote(ctx, "churn", 2); !errors.As(err, &refused) || refused.Status != http.StatusConflict {
		t.Errorf("a damaged artefact is promoted: %v", err)
	}
	if champion, err := b.store.get(ctx, "churn", 0, false); err != nil || champion.Version != 1 {
		t.Errorf("the champion is %+v %v", champion, err)
	}
}

// Features as of a moment are the same whatever happens after it, and labels lie after it.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	ctx := t.Context()
	all := customers(200, 2)
	at := now.AddDate(0, 0, -40)
	var before, after []event
	for _, e := range all {
		if e.at.Before(at) {
			before = append(before, e)
		} else {
			after = append(after, e)
		}
	}
	b.log(before)
	spec := Spec{Family: Churn}
	spec.fill()
	then, err := b.asOf(ctx, &spec, at, days(30), share{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range then.label {
		if then.label[i] != 1 {
			t.Fatalf("%s did not churn though nothing came after", then.people[i])
		}
	}
	b.log(after)
	later, err := b.asOf(ctx, &spec, at, days(30), share{})
	if err != nil {
		t.Fatal(err)
	}
	stayed := 0.0
	for _, v := range later.label {
		stayed += 1 - v
	}
	if len(later.people) != len(then.people) || stayed == 0 || stayed == float64(len(later.people)) {
		t.Fatalf("%d people, then %d; %v stayed", len(later.people), len(then.people), stayed)
	}
	for j := range then.table.Columns {
		a, b := then.table.Columns[j], later.table.Columns[j]
		for i := range then.people {
			same := a.Categorical() && a.Categories[i] == b.Categories[i]
			if !a.Categorical() {
				x, y := a.Numbers[i], b.Numbers[i]
				same = x == y || (x != x && y != y)
			}
			if then.people[i] != later.people[i] || !same {
				t.Fatalf("%s of %s as of a moment depends on what came after it", a.Name, then.people[i])
			}
		}
	}
}

func TestLifetimeLifecycle(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("fits what the tests of the routes fit as well")
	}
	b := newBed(t)
	b.define("value", Spec{Family: Lifetime, HorizonDays: 60, AutoPromote: true})
	b.log(customers(300, 3))
	v, err := b.Train(t.Context(), "value")
	if err != nil {
		t.Fatal(err)
	}
	m := v.Metrics.Lifetime
	t.Logf("%s: %s", v.Learner, v.Verdict)
	if v.State != Champion || m.Backtest.Actual == 0 || m.Backtest.MAE >= m.Backtest.Baseline || len(m.Models) != 2 {
		t.Errorf("%s: %+v", v.State, m)
	}
	scoring, err := b.Score(t.Context(), "value")
	if err != nil || scoring.People != 300 {
		t.Fatalf("%+v %v", scoring, err)
	}
	var bad uint64
	if err := b.clickhouse.Read.QueryRow(t.Context(), `SELECT countIf(JSONExtractFloat(attributes, 'lifetimeValueLow') > JSONExtractFloat(attributes, 'lifetimeValue') OR JSONExtractFloat(attributes, 'lifetimeValueAlive') > 1) FROM person_scores`).Scan(&bad); err != nil || bad != 0 {
		t.Errorf("%d forecasts outside of their interval: %v", bad, err)
	}
}

// An e-mail that helps those who look at much and harms the others: the model finds it,
// the gate lets it through, and who is harmed is addressed by nobody.
func TestUpliftLifecycle(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	ctx := t.Context()
	b.define("win-back", Spec{Family: Uplift, Experiment: "win-back", Treatments: []string{"email"}, HorizonDays: 14, ActiveDays: 200})
	r := rand.New(rand.NewPCG(7, 7))
	n := 2000
	var events []event
	batch, err := b.clickhouse.Write.PrepareBatch(ctx, "INSERT INTO exposures (experiment, variant, unit, exposed_at, decision_id, source, sequence)")
	if err != nil {
		t.Fatal(err)
	}
	helps := map[string]bool{}
	for p := range n {
		person := fmt.Sprintf("p%05d", p)
		exposed := now.Add(-time.Duration(20+r.IntN(60)) * 24 * time.Hour)
		keen := r.IntN(2) == 0
		helps[person] = keen
		events = append(events, event{name: "Order Completed", person: person, at: exposed.AddDate(0, 0, -20-r.IntN(40)), value: 50})
		views := r.IntN(2)
		if keen {
			views = 5 + r.IntN(5)
		}
		for range views {
			events = append(events, event{name: "Product Viewed", person: person, at: exposed.Add(-time.Duration(1+r.IntN(400)) * time.Hour)})
		}
		variant, chance := "control", .2
		if r.IntN(2) == 0 {
			variant, chance = "email", .1
			if keen {
				chance = .45
			}
		}
		if err := batch.Append("win-back", variant, person, exposed, "", "test", uint64(p)); err != nil {
			t.Fatal(err)
		}
		if r.Float64() < chance {
			events = append(events, event{name: "Order Completed", person: person, at: exposed.Add(time.Duration(1+r.IntN(300)) * time.Hour), value: 50})
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	b.log(events)
	v, err := b.Train(ctx, "win-back")
	if err != nil {
		t.Fatal(err)
	}
	m := v.Metrics.Uplift
	t.Logf("%s: %s; %+v", v.Learner, v.Verdict, m.Policy)
	if !m.Passed || m.Treatments[0].Judgement.Qini.Low <= 0 {
		t.Fatalf("%+v", m)
	}
	if _, err := b.Promote(ctx, "win-back", 1); err != nil {
		t.Fatal(err)
	}
	b.clock = now.AddDate(0, 0, -50) // when most have looked lately
	if _, err := b.Score(ctx, "win-back"); err != nil {
		t.Fatal(err)
	}
	var persuadable, harmed uint64
	if err := b.clickhouse.Read.QueryRow(ctx, `SELECT countIf(JSONExtractString(attributes, 'upliftTreatment') = 'email' AND JSONExtractString(attributes, 'upliftKind') = 'persuadable'), countIf(JSONExtractString(attributes, 'upliftTreatment') = 'nobody') FROM person_scores`).Scan(&persuadable, &harmed); err != nil || persuadable == 0 || harmed == 0 {
		t.Errorf("%d persuadable, %d left alone: %v", persuadable, harmed, err)
	}
	// Decisions read the value of each treatment from memory, the cost taken off.
	var text string
	if err := b.clickhouse.Read.QueryRow(ctx, "SELECT attributes FROM person_scores LIMIT 1").Scan(&text); err != nil {
		t.Fatal(err)
	}
	var attributes map[string]any
	if err := json.Unmarshal([]byte(text), &attributes); err != nil {
		t.Fatal(err)
	}
	read := func(name string) (any, bool) { v, ok := attributes[name]; return v, ok }
	values := make([]float64, 2)
	if b.Values("win-back", read, []string{"email", "push"}, values) {
		t.Errorf("values before anything was loaded: %v", values)
	}
	if _, err := b.specs.Put(ctx, "win-back", Spec{Family: Uplift, Experiment: "win-back", Treatments: []string{"email"}, HorizonDays: 14, ActiveDays: 200, Cost: .05}, "test", 1); err != nil {
		t.Fatal(err)
	}
	if err := b.refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if !b.Values("win-back", read, []string{"email", "push"}, values) || math.Abs(values[0]-(attributes["upliftOfEmail"].(float64)-.05)) > 1e-12 || !math.IsNaN(values[1]) {
		t.Errorf("%v of %v", values, attributes)
	}
	if b.Values("win-back", func(string) (any, bool) { return nil, false }, []string{"email"}, values) {
		t.Errorf("values of somebody unknown: %v", values)
	}
	b.scoresInShares("win-back")
}

func TestSendTimeLifecycle(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	ctx := t.Context()
	b.define("hour", Spec{Family: SendTime, AutoPromote: true})
	r := rand.New(rand.NewPCG(8, 8))
	var events []event
	favourite := map[string]int{}
	for p := range 250 {
		person := fmt.Sprintf("p%05d", p)
		favourite[person] = []int{8, 19}[p%2] // local time of Moscow
		for m := range 60 {
			at := now.AddDate(0, 0, -m-2).Add(time.Duration(r.IntN(86400)) * time.Second)
			id := fmt.Sprintf("%s-%d", person, m)
			events = append(events, event{name: "Message Sent", person: person, at: at, chance: 1. / 24, properties: fmt.Sprintf(`{"messageId":%q,"timezone":"Europe/Moscow"}`, id)})
			distance := math.Abs(float64((at.Hour()+3)%24 - favourite[person]))
			chance := .05 + .4*math.Exp(-math.Min(distance, 24-distance)*math.Min(distance, 24-distance)/6)
			answered := fmt.Sprintf(`{"messageId":%q}`, id)
			if r.IntN(4) == 0 { // a mail server looks at once
				events = append(events, event{name: "Message Opened", person: person, at: at.Add(time.Second), properties: answered})
			}
			if r.Float64() < chance {
				events = append(events, event{name: "Message Opened", person: person, at: at.Add(time.Duration(60+r.IntN(3600)) * time.Second), properties: answered})
			}
		}
	}
	b.log(events)
	v, err := b.Train(ctx, "hour")
	if err != nil {
		t.Fatal(err)
	}
	m := v.Metrics.SendTime
	t.Logf("%s: %s", v.Learner, v.Verdict)
	if v.State != Champion || m.OffPolicy == nil || m.OffPolicy.Gain[1] <= 0 || m.Machine == 0 {
		t.Fatalf("%s %+v", v.State, m)
	}
	if _, err := b.Score(ctx, "hour"); err != nil {
		t.Fatal(err)
	}
	rows, err := b.clickhouse.Read.Query(ctx, "SELECT person_id, JSONExtractFloat(attributes, 'bestHour') FROM person_scores")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	near, all := 0, 0
	for rows.Next() {
		var who string
		var hour float64
		if err := rows.Scan(&who, &hour); err != nil {
			t.Fatal(err)
		}
		all++
		if math.Abs(hour-float64(favourite[who])) <= 2 {
			near++
		}
	}
	// Decisions weigh moments by the person's own day, or by everybody's week.
	if err := b.refreshSendTimes(ctx); err != nil {
		t.Fatal(err)
	}
	zone := time.FixedZone("", 3*3600)
	moments := []time.Time{time.Date(2026, 11, 2, 8, 0, 0, 0, zone), time.Date(2026, 11, 2, 3, 0, 0, 0, zone), time.Date(2026, 11, 2, 19, 0, 0, 0, zone)}
	weights := make([]float64, 3)
	shape := shapeOf(&[24]float64{8: .4, 9: .2, 19: .1, 3: .05})
	if !b.Weights(func(name string) (string, bool) { return shape, name == "bestHourShape" }, "email", zone, moments, weights) || weights[0] != 1 || weights[0] <= weights[2] || weights[2] <= weights[1] {
		t.Errorf("%v of %s", weights, shape)
	}
	if !b.Weights(func(string) (string, bool) { return "", false }, "email", zone, moments, weights) || weights[1] >= weights[0] || weights[1] >= weights[2] {
		t.Errorf("%v of somebody unknown", weights)
	}
	if all != 250 || near < all*8/10 {
		t.Errorf("%d of %d best hours are near the hidden one", near, all)
	}
	b.scoresInShares("hour")
}

func TestSpecsAreChecked(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.define("churn", Spec{Family: Churn})
	for name, c := range map[string]struct {
		spec  Spec
		field string
	}{
		"no family":     {Spec{Family: "tarot"}, "family"},
		"no experiment": {Spec{Family: Uplift, Treatments: []string{"a"}}, "experiment"},
		"reserved":      {Spec{Family: Churn, Attribute: "orders"}, "attribute"},
		"taken":         {Spec{Family: Churn}, "attribute"},
		"no treatments": {Spec{Family: Uplift, Experiment: "e"}, "treatments"},
		"one name":      {Spec{Family: Uplift, Experiment: "e", Treatments: []string{"e-mail", "e mail"}}, "treatments"},
		"not a name":    {Spec{Family: Lifetime, Attribute: "a-b"}, "attribute"},
	} {
		if err := b.check(t.Context(), "other", &c.spec); err == nil || !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var missing *problem.Error
	if _, err := b.Train(t.Context(), "nothing"); !errors.As(err, &missing) || missing.Status != http.StatusNotFound {
		t.Errorf("%v", err)
	}
}

// What is sent to people is none of their activity, and who never did a thing did not do
// it just now.
func TestLettersAreNoActivity(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	var events []event
	for day := 1; day <= 40; day++ {
		events = append(events, event{name: "Message Sent", person: "told", at: now.AddDate(0, 0, -day)})
	}
	for _, name := range []string{"Product Viewed", "Message Opened", "Product Viewed"} {
		events = append(events, event{name: name, person: "told", at: now.AddDate(0, 0, -10*len(events)/20)})
	}
	events = append(events, event{name: "Message Sent", person: "silent", at: now.AddDate(0, 0, -1)})
	b.log(events)
	spec := Spec{Family: NextPurchase}
	spec.fill()
	set, err := b.asOf(t.Context(), &spec, now, 0, share{})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.people) != 1 || set.people[0] != "told" {
		t.Fatalf("active are %v", set.people)
	}
	want := map[string]float32{"events7": 0, "events30": 3, "events90": 3, "activeDays90": 2, "daysSinceLastEvent": 20, "daysSinceFirstEvent": 21, "kindsOfEvents90": 2,
		"views30": 2, "messages30": 29, "answers30": 1, "orders": 0, "daysSinceLastOrder": float32(math.NaN()), "daysSinceFirstOrder": float32(math.NaN())}
	for _, c := range set.table.Columns {
		if w, ok := want[c.Name]; ok && c.Numbers[0] != w && (w == w || c.Numbers[0] == c.Numbers[0]) {
			t.Errorf("%s is %g, want %g", c.Name, c.Numbers[0], w)
		}
	}
}
