package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"quintet/internal/shop"
)

// shopReport is what the test reads of a report.
type shopReport struct {
	Checks  []shopCheck `json:"checks"`
	Metrics []struct {
		Key     string `json:"key"`
		Effects []struct {
			Variant  string `json:"variant"`
			Absolute struct {
				Estimate      float64 `json:"estimate"`
				Lower         float64 `json:"lower"`
				Upper         float64 `json:"upper"`
				StandardError float64 `json:"standardError"`
			} `json:"absolute"`
		} `json:"effects"`
	} `json:"metrics"`
}

type shopCheck struct {
	Name   string  `json:"name"`
	Passed bool    `json:"passed"`
	PValue float64 `json:"pValue"`
	Detail string  `json:"detail"`
}

// passes fails the test for every check that fails, and when there is none for the
// sample ratio.
func (s *shopReport) passes(t *testing.T) {
	t.Helper()
	for _, c := range s.Checks {
		if !c.Passed {
			t.Errorf("the check %s fails (p = %g): %s", c.Name, c.PValue, c.Detail)
		}
	}
	if !slices.ContainsFunc(s.Checks, func(c shopCheck) bool { return c.Name == "sample-ratio" }) {
		t.Error("the report has no sample-ratio check")
	}
}

// On the generated shop the learned policy earns more than even choice, by a
// margin that the report shows and the shop's hidden truth confirms; nobody in the
// holdout gets advertising; and every decision can be replayed bit for bit, after
// whatever happened since.
func TestShop(t *testing.T) {
	t.Parallel()
	visits, customers := 50_000, 5000
	if testing.Short() {
		visits, customers = 6000, 1000
	}
	const seed, share = 11, 0.05
	r := openResident(t, residentConfig(t))
	world := shop.NewWorld(seed, customers)
	if err := r.client.Put(t.Context(), "/v1/holdouts/universal", map[string]any{"share": share}, nil); err != nil {
		t.Fatal(err)
	}
	if err := shop.Setup(t.Context(), r.client, world, nil); err != nil {
		t.Fatal(err)
	}
	visited := 0
	visit := func(n int) {
		t.Helper()
		if err := shop.Run(t.Context(), r.client, world, shop.Traffic{Visits: uint64(n), First: uint64(visited), Workers: 16}); err != nil {
			t.Fatal(err)
		}
		visited += n
		r.learn()
	}
	started := time.Now()
	for _, share := range []float64{0.04, 0.06, 0.1, 0.2, 0.3, 0.3} {
		visit(int(float64(visits)*share + 0.5))
	}
	t.Logf("%d visits in %.1f s", visited, time.Since(started).Seconds())
	if n := r.number("SELECT count() FROM decisions"); n != uint64(visited) {
		t.Errorf("%d decisions of %d visits are in the log", n, visited)
	}
	if n := r.number("SELECT count() FROM decisions WHERE fallback"); n != 0 {
		t.Errorf("%d decisions fell back", n)
	}
	r.checkLearning(t, world, !testing.Short())
	r.checkHoldout(t, share)

	t.Run("replay", func(t *testing.T) {
		r.changeShop(t)
		visit(visits / 25)
		r.restart()
		visit(visits / 50)
		r.checkReplays(t, 1000)
	})
}

// learn builds the models that are due, as the service does now and then itself.
func (r *resident) learn() {
	r.t.Helper()
	r.flush()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	for _, spec := range r.app.decide.Specs() {
		if err := r.app.models.Update(ctx, spec); err != nil {
			r.t.Fatalf("building the model of %s: %v", spec.DecisionPoint, err)
		}
	}
}

func (r *resident) checkLearning(t *testing.T, world *shop.World, powerful bool) {
	t.Helper()
	truth, err := shop.Judge(t.Context(), r.client, world)
	if err != nil {
		t.Fatal(err)
	}
	if len(truth.Unknown) > 0 || truth.Reached > 0 {
		t.Errorf("unknown actions %v, %d decisions reached the holdout", truth.Unknown, truth.Reached)
	}
	var report shopReport
	if err := r.client.Get(t.Context(), "/v1/experiments/"+shop.Experiment+"/report", &report); err != nil {
		t.Fatal(err)
	}
	report.passes(t)
	for _, m := range report.Metrics {
		if m.Key != shop.MetricMargin {
			continue
		}
		for _, e := range m.Effects {
			a := e.Absolute
			t.Logf("%s: reported %+.4f (95%% interval %+.4f to %+.4f), true %+.4f", e.Variant, a.Estimate, a.Lower, a.Upper, truth.Gain)
			if powerful && truth.Gain <= 0 {
				t.Errorf("the learned policy is truly worth %+.4f per decision beside even choice", truth.Gain)
			}
			if powerful && a.Lower <= 0 {
				t.Errorf("the interval from %+.4f to %+.4f is not above zero", a.Lower, a.Upper)
			}
			// A 95% interval misses the truth in one of twenty runs. The test allows
			// twice its width, which is one in ten thousand, and logs the rest.
			if math.Abs(a.Estimate-truth.Gain) > a.Upper-a.Lower {
				t.Errorf("the report says %+.4f ± %.4f, the truth is %+.4f", a.Estimate, (a.Upper-a.Lower)/2, truth.Gain)
			}
			if truth.Gain < a.Lower || truth.Gain > a.Upper {
				t.Logf("the 95%% interval misses the truth, as one of twenty does")
			}
			return
		}
	}
	t.Error("the report has no effect on the margin per decision")
}

func (r *resident) checkHoldout(t *testing.T, share float64) {
	t.Helper()
	held := r.number("SELECT uniqExact(profile_id) FROM decisions WHERE `group` = 'holdout'")
	all := r.number("SELECT uniqExact(profile_id) FROM decisions")
	if want, sd := share*float64(all), math.Sqrt(share*(1-share)*float64(all)); math.Abs(float64(held)-want) > 5*sd {
		t.Errorf("%d of %d people are in the holdout of %g", held, all, share)
	}
	for what, query := range map[string]string{
		"decisions of the holdout have an action":        "SELECT count() FROM decisions WHERE `group` = 'holdout' AND (action != '' OR offer != '' OR channel != '' OR creative != '' OR notEmpty(items) OR eligible)",
		"people are in the holdout and out of it":        "SELECT count() FROM (SELECT profile_id FROM decisions GROUP BY profile_id HAVING uniqExact(`group` = 'holdout') > 1)",
		"people are in both exposures":                   "SELECT count() FROM (SELECT unit FROM exposures WHERE experiment = 'universal-holdout' GROUP BY unit HAVING uniqExact(variant) > 1)",
		"people of the holdout saw an offer":             "SELECT count() FROM events WHERE event = 'Offer Viewed' AND profile_id IN (SELECT profile_id FROM decisions WHERE `group` = 'holdout')",
		"people of the holdout count for the experiment": "SELECT count() FROM exposures WHERE experiment = '" + shop.Experiment + "' AND unit IN (SELECT profile_id FROM decisions WHERE `group` = 'holdout')",
	} {
		if n := r.number(query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
	var report shopReport
	if err := r.client.Get(t.Context(), "/v1/experiments/universal-holdout/report?metric="+shop.MetricPerson, &report); err != nil {
		t.Fatal(err)
	}
	report.passes(t)
}

// changeShop changes everything that the decisions so far were made with.
func (r *resident) changeShop(t *testing.T) {
	t.Helper()
	change := func(path string, with func(body map[string]any)) {
		t.Helper()
		var body map[string]any
		if err := r.client.Get(t.Context(), path, &body); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"version", "createdAt", "updatedAt", "updatedBy"} {
			delete(body, name)
		}
		with(body)
		if err := r.client.Put(t.Context(), path, body, nil); err != nil {
			t.Fatal(err)
		}
	}
	change("/v1/offers/spring-sale", func(b map[string]any) { b["attributes"], b["items"] = map[string]any{"discount": 0.3}, []string{} })
	change("/v1/offers/book-club", func(b map[string]any) { b["active"] = false })
	change("/v1/channels/push", func(b map[string]any) { b["contactCost"] = 0.5 })
	change("/v1/holdouts/universal", func(b map[string]any) { b["share"] = 0.2 })
	change("/v1/decision-points/"+shop.DecisionPoint, func(b map[string]any) {
		b["creatives"] = b["creatives"].([]any)[:1]
		b["offers"] = slices.DeleteFunc(b["offers"].([]any), func(o any) bool { return o == "new-outdoor" })
		b["policy"].(map[string]any)["exploration"] = 0.2
		b["features"] = b["features"].([]any)[1:]
	})
}

// checkReplays replays decisions that are drawn at random from ClickHouse.
func (r *resident) checkReplays(t *testing.T, number int) {
	t.Helper()
	r.flush()
	draw := rand.Uint64()
	rows, err := r.app.engines.ClickHouse.Read.Query(t.Context(),
		fmt.Sprintf("SELECT decision_id, model_version, point_version, `group` FROM decisions ORDER BY cityHash64(decision_id, %d) LIMIT %d", draw, number))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var ids []string
	kinds := map[string]map[string]int{"model": {}, "definition": {}, "group": {}}
	for rows.Next() {
		var id, group string
		var model, point uint64
		if err := rows.Scan(&id, &model, &point, &group); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		kinds["model"][fmt.Sprint(model)]++
		kinds["definition"][fmt.Sprint(point)]++
		kinds["group"][group]++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d decisions drawn with %d: by model %v, by definition %v, by group %v", len(ids), draw, kinds["model"], kinds["definition"], kinds["group"])
	if len(ids) != number || len(kinds["model"]) < 4 || len(kinds["definition"]) < 2 || len(kinds["group"]) != 3 {
		t.Errorf("the draw is not wide enough")
	}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for _, id := range ids {
		group.Go(func() error {
			var d struct {
				Record struct {
					DecisionID string `json:"decisionId"`
				} `json:"record"`
				Explanation []string `json:"explanation"`
				Replay      struct {
					Possible    bool     `json:"possible"`
					Agrees      bool     `json:"agrees"`
					Differences []string `json:"differences"`
				} `json:"replay"`
			}
			if err := r.client.Do(ctx, http.MethodGet, "/v1/decisions/"+id, nil, &d); err != nil {
				return err
			}
			if !d.Replay.Possible || !d.Replay.Agrees || len(d.Replay.Differences) > 0 || d.Record.DecisionID != id || len(d.Explanation) == 0 {
				t.Errorf("decision %s: %+v", id, d)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
