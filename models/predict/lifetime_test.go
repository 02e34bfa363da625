package predict

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Customers of a segment that buys more often get parameters of their own, as of the
// moment when they were in it; and what somebody brought is added to what they are worth.
func TestLifetimeBySegment(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("fits many models")
	}
	b := newBed(t)
	ctx := t.Context()
	b.define("value", Spec{Family: Lifetime, HorizonDays: 30, AutoPromote: true, Segments: []string{"vip", "nobody"}, Referrer: "referredBy"})
	r := rand.New(rand.NewPCG(12, 12))
	var events []event
	n := 300
	for p := range n {
		person, gap := fmt.Sprintf("p%05d", p), 40.
		if p%2 == 0 {
			gap = 6
		}
		start := now.Add(-time.Duration(60+r.IntN(200)) * 24 * time.Hour)
		gap *= math.Exp(r.NormFloat64() * .3)
		stays := r.ExpFloat64() * 300
		for at := 0.; at < stays; at += r.ExpFloat64() * gap {
			when := start.Add(time.Duration(at * 24 * float64(time.Hour)))
			if !when.Before(now) {
				break
			}
			events = append(events, event{name: "Order Completed", person: person, user: "user-" + person, at: when, value: 20 * math.Exp(r.NormFloat64()*.5)})
		}
	}
	for _, brought := range []string{"p00003", "p00004"} {
		events = append(events, event{name: "Signed Up", person: brought, user: "user-" + brought, at: now.AddDate(0, 0, -1), properties: `{"referredBy":"user-p00001"}`})
	}
	b.log(events)
	batch, err := b.clickhouse.Write.PrepareBatch(ctx, "INSERT INTO segment_membership (segment, person_id, entered, at, reason, sequence, position)")
	if err != nil {
		t.Fatal(err)
	}
	for p := 0; p < n; p += 2 {
		if err := batch.Append("vip", fmt.Sprintf("p%05d", p), uint8(1), now.AddDate(0, 0, -45), "change", uint64(p), uint32(0)); err != nil {
			t.Fatal(err)
		}
	}
	// Somebody came in after the moment of training and another had left by then.
	if err := batch.Append("vip", "p00001", uint8(1), now.AddDate(0, 0, -5), "change", uint64(n), uint32(0)); err != nil {
		t.Fatal(err)
	}
	if err := batch.Append("vip", "p00002", uint8(0), now.AddDate(0, 0, -40), "change", uint64(n+1), uint32(0)); err != nil {
		t.Fatal(err)
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	spec := Spec{Family: Lifetime, Segments: []string{"vip"}}
	spec.fill()
	past, err := b.customers(ctx, &spec, now.AddDate(0, 0, -30), days(30), share{})
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]string{}
	for i, who := range past.people {
		at[who] = past.segments[i]
	}
	if at["p00000"] != "vip" || at["p00001"] != "" || at["p00002"] != "" || at["p00003"] != "" {
		t.Errorf("segments as of then: %v %v %v", at["p00000"], at["p00001"], at["p00002"])
	}
	v, err := b.Train(ctx, "value")
	if err != nil {
		t.Fatal(err)
	}
	m := v.Metrics.Lifetime
	t.Logf("%s: %s, p %.2g", v.Learner, v.Verdict, m.Segments.P)
	if v.State != Champion || m.Segments == nil || !m.Segments.Kept || len(m.Models) != 4 || m.Models[2].Segment == "" || m.Backtest.Customers != len(past.people) {
		t.Fatalf("%+v", m)
	}
	if _, err := b.Score(ctx, "value"); err != nil {
		t.Fatal(err)
	}
	read := func(who string) (out map[string]float64) {
		var text string
		if err := b.clickhouse.Read.QueryRow(ctx, "SELECT attributes FROM person_scores FINAL WHERE person_id = ?", who).Scan(&text); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	one, other, referrer := read("p00003")["lifetimeValue"], read("p00004")["lifetimeValue"], read("p00001")
	if math.Abs(referrer["lifetimeValueReferred"]-one-other) > .02 || math.Abs(referrer["lifetimeValueTotal"]-referrer["lifetimeValue"]-one-other) > .02 || one+other == 0 {
		t.Errorf("%v, of those who were brought %v and %v", referrer, one, other)
	}
	b.scoresInShares("value")
}
