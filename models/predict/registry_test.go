package predict

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"quintet/internal/learners"
	"quintet/internal/problem"
)

// A model is asked to be trained and scored without waiting; where it stands is told by
// what is in use, what came last and how the runs went.
func TestAskedFor(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.define("value", Spec{Family: Lifetime, HorizonDays: 60, AutoPromote: true, Paused: true})
	b.log(customers(150, 3))
	before, err := b.Standing(t.Context(), "value")
	if err != nil || before.Champion != nil || before.Newest != nil || before.Job != nil || before.Attribute != "lifetimeValue" {
		t.Fatalf("%+v %v", before, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	for _, kind := range []string{"train", "score"} {
		if err := b.Ask("value", kind); err != nil {
			t.Fatal(err)
		}
	}
	var missing *problem.Error
	if err := b.Ask("nothing", "train"); !errors.As(err, &missing) || missing.Status != http.StatusNotFound {
		t.Errorf("%v", err)
	}
	var now *Standing
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if now, err = b.Standing(t.Context(), "value"); err != nil {
			t.Fatal(err)
		}
		if now.Scored != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v after a minute", now)
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if now.Champion == nil || now.Champion.Version != 1 || now.Champion.Metrics != nil || now.Newest == nil || now.Scored.Version != 1 || now.Scored.Error != "" {
		t.Errorf("%+v", now)
	}
	all, err := b.Registry(t.Context(), "", 10)
	if err != nil || len(all) != 1 || all[0].Key != "value" {
		t.Errorf("%+v %v", all, err)
	}
	if all, err := b.Registry(t.Context(), "value", 10); err != nil || len(all) != 0 {
		t.Errorf("%+v %v", all, err)
	}
	// The file of a version is enough to score with, and a damaged one is not given out.
	file, err := b.Artefact(t.Context(), "value", 1)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := load(&Version{Family: Lifetime, artefact: file}); err != nil || time.Since(began) > time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	if _, err := b.store.pool.Exec(t.Context(), "UPDATE prediction_versions SET artefact = substr(artefact, 1, 50)"); err != nil {
		t.Fatal(err)
	}
	var damaged *problem.Error
	if _, err := b.Artefact(t.Context(), "value", 1); !errors.As(err, &damaged) || damaged.Status != http.StatusConflict {
		t.Errorf("%v", err)
	}
	if _, err := load(&Version{Family: Lifetime, artefact: file[:50]}); !errors.Is(err, learners.ErrArtefact) {
		t.Errorf("half an artefact: %v", err)
	}
}

// Who is erased while a scoring is under way is not written down by it, and is exported
// and counted only while scores are stored.
func TestErasedWhileScored(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	ctx := t.Context()
	scores := func() []map[string]any { return []map[string]any{{"a": 1.}, {"a": 2.}, {"a": 3.}} }
	people := []string{"anna", "boris", "clara"}
	score := func(version int64, at time.Time) error {
		return b.replace(ctx, &Scoring{Model: "m", Version: version, AsOf: at}, func(write func([]string, []map[string]any) error) error {
			return write(people, scores())
		})
	}
	if err := score(1, now); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Remembered(ctx, []string{"anna", "clara", "nobody"}); err != nil || n != 2 {
		t.Fatalf("%d %v", n, err)
	}
	var exported []string
	if err := b.EachScore(ctx, []string{"clara"}, func(v any) error {
		text, err := json.Marshal(v)
		exported = append(exported, string(text))
		return err
	}); err != nil || len(exported) != 1 || exported[0] != `{"model":"m","version":1,"scoredAt":"2026-11-01T00:00:00Z","attributes":{"a":3}}` {
		t.Errorf("%v %v", exported, err)
	}
	b.mu.Lock()
	b.current, b.forgotten = &Job{Kind: "score"}, map[string]struct{}{}
	b.mu.Unlock()
	if n, err := b.Forget(ctx, []string{"clara"}); err != nil || n != 1 {
		t.Errorf("%d %v", n, err)
	}
	if err := score(2, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Remembered(ctx, []string{"clara"}); err != nil || n != 0 {
		t.Errorf("%d rows of somebody who was erased: %v", n, err)
	}
	if n, err := b.Remembered(ctx, people); err != nil || n != 2 {
		t.Errorf("%d rows of the others: %v", n, err)
	}
}
