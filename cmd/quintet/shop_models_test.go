package main

import (
	"math"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"quintet/internal/client"
	"quintet/internal/shop"
)

// TestShopModels trains two predictive models on what the generated shop did at random,
// and lets them decide: the hour of letters against the best fixed hour, and who gets a
// promo code against giving it to everybody. The customers' responses are known to the
// simulator alone. QUINTET_TEST_FULL=1 takes all 5,000 of them.
func TestShopModels(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("sends a hundred thousand events")
	}
	customers := 3000
	if os.Getenv("QUINTET_TEST_FULL") != "" {
		customers = 5000
	}
	r := openResident(t, residentConfig(t))
	world := shop.NewWorld(12, customers)
	now := time.Now().UTC()
	r.sendAll(t, world.Letters(now))
	r.sendAll(t, world.PromoCodes(now))
	r.flush()
	for key, spec := range map[string]map[string]any{
		"hour":       {"family": "send-time", "channel": "email", "paused": true},
		shop.WinBack: {"family": "uplift", "experiment": shop.WinBack, "treatments": []string{shop.PromoLetter}, "outcome": "value", "value": "margin", "cost": .1, "horizonDays": 14, "activeDays": 200, "paused": true},
	} {
		if err := r.client.Put(t.Context(), "/v1/models/"+key, spec, nil); err != nil {
			t.Fatal(err)
		}
		var version struct {
			Version int    `json:"version"`
			State   string `json:"state"`
			Learner string `json:"learner"`
			Verdict string `json:"verdict"`
		}
		if err := r.client.Post(t.Context(), "/v1/models/"+url.PathEscape(key)+"/train", struct{}{}, &version); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s; %s", key, version.Learner, version.Verdict)
		if err := r.client.Post(t.Context(), "/v1/models/"+key+"/registry/1/promote", struct{}{}, nil); err != nil {
			t.Fatal(err)
		}
		if err := r.client.Post(t.Context(), "/v1/models/"+key+"/score", struct{}{}, nil); err != nil {
			t.Fatal(err)
		}
	}

	hours := r.scores(t, "hour", "toString(JSONExtractFloat(attributes, 'bestHour'))")
	fixed := world.BestFixedHour()
	var gains []float64
	const letters = 14
	for i := range world.Customers {
		c := &world.Customers[i]
		best, ok := hours[c.UserID]
		if c.Email == "" {
			continue
		}
		if !ok {
			t.Fatalf("%s has no hour", c.UserID)
		}
		hour, err := strconv.ParseFloat(best, 64)
		if err != nil {
			t.Fatal(err)
		}
		gains = append(gains, float64(world.Opens(c, hour, letters)-world.Opens(c, fixed, letters))/letters)
	}
	mean, low, high := interval(gains)
	t.Logf("the model's hour less the best fixed hour, %g:00 where each lives: %+.4f opens per letter (95%% %+.4f to %+.4f), %d customers", fixed, mean, low, high, len(gains))
	if low <= 0 {
		t.Errorf("the hour of the model is not better than a fixed one: %+.4f to %+.4f", low, high)
	}

	treatments := r.scores(t, shop.WinBack, "JSONExtractString(attributes, 'upliftTreatment')")
	var overEverybody, overNobody []float64
	contacted := 0
	for i := range world.Customers {
		c := &world.Customers[i]
		treatment, ok := treatments[c.UserID]
		if !ok {
			t.Fatalf("%s has no score", c.UserID)
		}
		gated := treatment == shop.PromoLetter
		if gated {
			contacted++
		}
		margin := world.WinBackMargin(c, gated)
		overEverybody = append(overEverybody, margin-world.WinBackMargin(c, true))
		overNobody = append(overNobody, margin-world.WinBackMargin(c, false))
	}
	mean, low, high = interval(overEverybody)
	idle, idleLow, idleHigh := interval(overNobody)
	t.Logf("win-back of %d of %d customers: margin per customer %+.3f (95%% %+.3f to %+.3f) over a code for everybody, %+.3f (%+.3f to %+.3f) over none",
		contacted, len(world.Customers), mean, low, high, idle, idleLow, idleHigh)
	if low <= 0 {
		t.Errorf("giving the code to whom it persuades brings %+.3f to %+.3f more than giving it to everybody", low, high)
	}
	if idleHigh <= 0 {
		t.Errorf("it loses %+.3f to %+.3f beside no code at all", idleLow, idleHigh)
	}
}

// sendAll sends messages, a thousand at a time.
func (r *resident) sendAll(t *testing.T, messages []client.Message) {
	t.Helper()
	for len(messages) > 0 {
		n := min(len(messages), 1000)
		result, err := r.client.Batch(t.Context(), messages[:n])
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Rejected) > 0 {
			t.Fatalf("%d messages were refused, the first for %v", len(result.Rejected), result.Rejected[0].Errors)
		}
		messages = messages[n:]
	}
}

// scores are what a model says of each customer, by their id.
func (r *resident) scores(t *testing.T, model, expression string) map[string]string {
	t.Helper()
	rows, err := r.app.engines.ClickHouse.Read.Query(t.Context(), `SELECT e.user_id, any(`+expression+`) FROM person_scores AS s
		INNER JOIN (SELECT DISTINCT user_id, profile_id FROM events WHERE user_id != '') AS e ON e.profile_id = s.person_id WHERE s.model = ? GROUP BY e.user_id`, model)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var user, value string
		if err := rows.Scan(&user, &value); err != nil {
			t.Fatal(err)
		}
		out[user] = value
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// interval is the mean with the normal 95 % interval of it.
func interval(xs []float64) (mean, low, high float64) {
	mean, sd := stat.MeanStdDev(xs, nil)
	half := 1.96 * sd / math.Sqrt(float64(len(xs)))
	return mean, mean - half, mean + half
}
