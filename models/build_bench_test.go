package models

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"quintet/models/bandits"
)

// BenchmarkBuild reads 50,000 decisions of 50 actions over 30 days, each with 11
// active features of 61, from ClickHouse and solves for the model.
func BenchmarkBuild(b *testing.B) {
	const decisions, actions, fields = 50_000, 50, 10
	db := logDatabase(b)
	rng := rand.New(rand.NewPCG(1, 1))
	declaration := bandits.Declaration{}
	for f := range fields {
		declaration.Fields = append(declaration.Fields, bandits.Field{Name: fmt.Sprint("f", f), Source: bandits.SourceContext,
			Kind: bandits.KindCategorical, Values: []string{"a", "b", "c", "d"}})
	}
	encoder, err := bandits.NewEncoder(declaration)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	var list []decision
	var events []event
	for i := range decisions {
		context := bandits.AttributeMap{}
		for f := range fields {
			context[fmt.Sprint("f", f)] = string(rune('a' + rng.IntN(4)))
		}
		var v bandits.Vector
		if err := encoder.EncodeShared(nil, context, &v); err != nil {
			b.Fatal(err)
		}
		d := decision{id: fmt.Sprint("d", i), point: "hero", profile: fmt.Sprint("p", rng.IntN(20000)), action: fmt.Sprint("a", rng.IntN(actions)),
			at: now.Add(-time.Duration(rng.Int64N(int64(30 * 24 * time.Hour)))), index: v.Indices, value: v.Values}
		list = append(list, d)
		if rng.IntN(10) == 0 {
			events = append(events, event{id: fmt.Sprint("e", i), name: "Order", profile: d.profile, at: d.at.Add(time.Minute)})
		}
	}
	insertDecisions(b, db, list...)
	insertEvents(b, db, events...)
	trainer := NewTrainer(db, slog.New(slog.DiscardHandler))
	spec := Spec{DecisionPoint: "hero", Encoder: declaration, Objective: heroSpec.Objective}
	for b.Loop() {
		snap, err := trainer.Build(b.Context(), spec)
		if err != nil {
			b.Fatal(err)
		}
		if snap.Decisions != decisions || snap.Reward != float64(len(events)) {
			b.Fatalf("%d decisions with reward %g, want %d with %d", snap.Decisions, snap.Reward, decisions, len(events))
		}
	}
}
