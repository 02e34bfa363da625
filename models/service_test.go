package models

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"reflect"
	"testing"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/problem"
	"quintet/models/bandits"
)

var heroSpec = Spec{DecisionPoint: "hero", Encoder: encoder3,
	Objective: Objective{Terms: []Term{{Event: "Order"}}, WindowHours: 24}}

// trade writes n decisions of the point, of which those for the better action on
// each device earn an order more often.
func trade(t testing.TB, db *clickhouse.Database, point string, from, n int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(from), 3))
	encoder, err := bandits.NewEncoder(encoder3)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	var decisions []decision
	var events []event
	for i := from; i < from+n; i++ {
		device, action := []string{"mobile", "desktop"}[rng.IntN(2)], []string{"none", "push", "email"}[rng.IntN(3)]
		var v bandits.Vector
		if err := encoder.EncodeShared(nil, bandits.AttributeMap{"device": device, "hour": 24 * rng.Float64()}, &v); err != nil {
			t.Fatal(err)
		}
		d := decision{id: fmt.Sprint(point, i), point: point, profile: fmt.Sprint("p", i), action: action, sequence: uint64(i + 1),
			at: now.Add(-time.Duration(rng.IntN(3*24)+25) * time.Hour), index: v.Indices, value: v.Values}
		decisions = append(decisions, d)
		p := .05
		if device == "mobile" && action == "push" || device == "desktop" && action == "email" {
			p = .3
		}
		if rng.Float64() < p {
			events = append(events, event{id: "e" + d.id, name: "Order", profile: d.profile, decision: d.id, at: d.at.Add(time.Hour)})
		}
	}
	insertDecisions(t, db, decisions...)
	if len(events) > 0 {
		insertEvents(t, db, events...)
	}
}

func features(t testing.TB, device string) bandits.Vector {
	t.Helper()
	encoder, err := bandits.NewEncoder(encoder3)
	if err != nil {
		t.Fatal(err)
	}
	var v bandits.Vector
	if err := encoder.EncodeShared(nil, bandits.AttributeMap{"device": device, "hour": 12}, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestUpdateLearnsStoresAndReloads(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	s, deps := service(t, db)
	ctx := t.Context()
	if err := s.Update(ctx, heroSpec); err != nil {
		t.Fatal(err)
	}
	if s.Current("hero") != nil {
		t.Fatal("a model of an empty log")
	}
	trade(t, db, "hero", 0, 3000)
	trade(t, db, "another", 10000, 100)
	if err := s.Update(ctx, heroSpec); err != nil {
		t.Fatal(err)
	}
	snap := s.Current("hero")
	if snap == nil || snap.Version != 1 || snap.Decisions != 3000 || snap.Through != 3000 || len(snap.Actions) != 3 {
		t.Fatalf("snapshot %+v", snap)
	}
	// It knows which action is for whom.
	for device, want := range map[string]string{"mobile": "push", "desktop": "email"} {
		x := features(t, device)
		candidates := bandits.Candidates{Actions: []string{"none", "push", "email"}, Features: x}
		var w bandits.Workspace
		d, err := bandits.Thompson{Model: snap.Model, Alpha: .5, Floor: .05}.Distribution(candidates, &w)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range candidates.Actions {
			if (d.Q[i] > .9) != (a == want) {
				t.Errorf("%s: %s has probability %g, want %s", device, a, d.Q[i], want)
			}
		}
	}
	// Nothing new: nothing happens.
	if err := s.Update(ctx, heroSpec); err != nil || s.Current("hero") != snap {
		t.Errorf("built again without new data (%v)", err)
	}
	// Another process loads the same bits.
	other, err := Open(ctx, deps)
	if err != nil {
		t.Fatal(err)
	}
	loaded := other.Current("hero")
	want, err := snap.Model.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	got, err := loaded.Model.MarshalBinary()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the stored model has other bits (%v)", err)
	}
	loaded.Model = snap.Model
	snap.BuiltAt = snap.BuiltAt.Truncate(time.Microsecond)
	snap.UpdatedAt = snap.UpdatedAt.Truncate(time.Microsecond)
	loaded.BuiltAt = loaded.BuiltAt.Truncate(time.Microsecond)
	if !reflect.DeepEqual(loaded, snap) {
		t.Errorf("loaded %+v\nsaved  %+v", loaded, snap)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	s, deps := service(t, db)
	ctx := t.Context()
	var saved []*Snapshot
	for i := range 4 {
		trade(t, db, "hero", 100*i, 100)
		if err := s.Update(ctx, heroSpec); err != nil {
			t.Fatal(err)
		}
		saved = append(saved, s.Current("hero"))
		if saved[i].Version != int64(i+1) {
			t.Fatalf("version %d, want %d", saved[i].Version, i+1)
		}
	}
	fresh, err := Open(ctx, deps)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []*Service{s, fresh, fresh} {
		for _, want := range saved {
			got, err := x.AtVersion(ctx, "hero", want.Version)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Model, want.Model) || got.Decisions != want.Decisions {
				t.Errorf("version %d differs from what was saved", want.Version)
			}
		}
	}
	var missing *problem.Error
	if _, err := s.AtVersion(ctx, "hero", 99); !errors.As(err, &missing) || missing.GetStatus() != http.StatusNotFound {
		t.Errorf("version 99: %v, want a 404 problem", err)
	}
	page, err := s.List(ctx, "hero", 0, 3)
	if err != nil || len(page.Items) != 3 || page.Items[0].Version != 4 || page.Next != 2 || page.Current.Version != 4 || len(page.Current.Actions) != 3 {
		t.Fatalf("first page %+v (%v)", page, err)
	}
	if page, err = s.List(ctx, "hero", page.Next, 3); err != nil || len(page.Items) != 1 || page.Items[0].Decisions != 100 || page.Next != 0 {
		t.Errorf("second page %+v (%v)", page, err)
	}
	if page, err = s.List(ctx, "unknown", 0, 3); err != nil || len(page.Items) != 0 || page.Current != nil {
		t.Errorf("unknown decision point: %+v (%v)", page, err)
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	s, _ := service(t, db)
	ctx := t.Context()
	due := func(spec Spec) bool {
		t.Helper()
		due, err := s.due(ctx, spec)
		if err != nil {
			t.Fatal(err)
		}
		return due
	}
	if due(heroSpec) {
		t.Error("due without a decision")
	}
	trade(t, db, "hero", 0, 1000)
	if !due(heroSpec) {
		t.Error("not due with first data")
	}
	if err := s.Update(ctx, heroSpec); err != nil {
		t.Fatal(err)
	}
	trade(t, db, "hero", 1000, 10)
	if due(heroSpec) {
		t.Error("due after 1 % more")
	}
	s.trainer.now = func() time.Time { return time.Now().Add(maxAge) }
	if !due(heroSpec) {
		t.Error("not due with new data and an hour later")
	}
	s.trainer.now = time.Now
	trade(t, db, "hero", 1010, 40)
	if !due(heroSpec) {
		t.Error("not due after 5 % more")
	}
	other := heroSpec
	other.Objective.WindowHours = 12
	if err := s.Update(ctx, heroSpec); err != nil {
		t.Fatal(err)
	}
	if due(heroSpec) || !due(other) {
		t.Error("a changed objective must be due, an unchanged one not")
	}
	other.Since = 2
	if due(other) {
		t.Error("due though all decisions are older than the encoder")
	}
	for _, bad := range []Spec{{}, {DecisionPoint: "x"}, {DecisionPoint: "x", Objective: Objective{Terms: []Term{{}}}},
		{DecisionPoint: "x", Objective: heroSpec.Objective, Encoder: bandits.Declaration{Fields: []bandits.Field{{}}}},
		{DecisionPoint: "x", Objective: heroSpec.Objective, HalfLifeDays: -1}} {
		if err := s.Update(ctx, bad); err == nil {
			t.Errorf("%+v: accepted", bad)
		}
	}
}

// Two processes on the same databases: both end up with the newest version, and
// each version is built once.
func TestRunFollowsAndTakesTurns(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	a, deps := service(t, db)
	b, err := Open(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 3)
	specs := func() []Spec { return []Spec{heroSpec, {DecisionPoint: "broken"}} }
	go func() { done <- a.Run(ctx, specs) }()
	go func() { done <- b.Run(ctx, specs) }()
	// A third one only follows.
	c, err := Open(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- c.Run(ctx, func() []Spec { return nil }) }()
	for i := range 3 {
		trade(t, db, "hero", 400*i, 400)
		deadline := time.Now().Add(2 * time.Minute)
		for _, s := range []*Service{a, b, c} {
			for s.Current("hero") == nil || s.Current("hero").Decisions != uint64(400*(i+1)) {
				if time.Now().After(deadline) {
					t.Fatalf("round %d: no model of %d decisions after two minutes", i, 400*(i+1))
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
	}
	cancel()
	for range 3 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	}
	list, err := a.List(t.Context(), "hero", 0, 200)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, v := range list.Items {
		key := fmt.Sprint(v.Decisions, v.Reward)
		if seen[key] {
			t.Errorf("version %d repeats another: %+v", v.Version, list.Items)
		}
		seen[key] = true
	}
}

func TestDamagedModelIsNotUsed(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	s, deps := service(t, db)
	ctx := t.Context()
	trade(t, db, "hero", 0, 100)
	if err := s.Update(ctx, heroSpec); err != nil {
		t.Fatal(err)
	}
	if _, err := deps.Postgres.Exec(ctx, `UPDATE models SET artefact = set_byte(artefact, 40, (get_byte(artefact, 40) + 1) % 256)`); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	deps.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	other, err := Open(ctx, deps)
	if err != nil {
		t.Fatal(err)
	}
	if other.Current("hero") != nil || !bytes.Contains(logged.Bytes(), []byte("cannot be used")) {
		t.Errorf("a damaged model is in use; log: %s", &logged)
	}
	if _, err := other.AtVersion(ctx, "hero", 1); err == nil {
		t.Error("a damaged model was loaded")
	}
}

func TestObjectiveValidate(t *testing.T) {
	t.Parallel()
	o := Objective{Terms: []Term{{Event: "Order"}}}
	if err := o.Validate(); err != nil || o.WindowHours != DefaultWindowHours || o.Terms[0].Weight != 1 {
		t.Errorf("%+v (%v)", o, err)
	}
	for field, o := range map[string]Objective{
		"terms":             {Terms: make([]Term, MaxTerms+1)},
		"terms[1].event":    {Terms: []Term{{Event: "a"}, {}}},
		"terms[0].property": {Terms: []Term{{Event: "a", Property: string(make([]byte, 300))}}},
		"terms[0].weight":   {Terms: []Term{{Event: "a", Weight: 1e7}}},
		"windowHours":       {WindowHours: -1},
	} {
		var bad problem.Invalid
		if err := o.Validate(); !errors.As(err, &bad) || bad[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
