package trained_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"quintet/recommend/baskets"
	"quintet/recommend/content"
	"quintet/recommend/ease"
	"quintet/recommend/generated"
	"quintet/recommend/implicit"
	"quintet/recommend/interactions"
	"quintet/recommend/modelfile"
	"quintet/recommend/neighbours"
	"quintet/recommend/popular"
	"quintet/recommend/scoring"
	"quintet/recommend/sequential"
	"quintet/recommend/trained"
)

func bundle(t testing.TB) (*trained.Bundle, *interactions.Log) {
	t.Helper()
	m, err := generated.Matrix(generated.Settings{People: 200, Items: 80, Interactions: 3000, Tastes: 6, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var b interactions.Builder
	for p := range m.Rows() {
		columns, _ := m.Row(p)
		for i, c := range columns {
			if err := b.Add(strconv.Itoa(p), strconv.Itoa(int(c)), 1, int64(1000*i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	l := b.Build()
	out := &trained.Bundle{Items: l.Items(), Models: make(map[string]scoring.Model)}
	add := func(model scoring.Model, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		out.Models[model.Kind()] = model
	}
	matrix, err := l.Matrix(interactions.Weighting{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	add(implicit.Train(ctx, matrix, implicit.Settings{Factors: 20, Epochs: 2}, implicit.Options{}))
	add(ease.Train(ctx, matrix, ease.Settings{}))
	add(neighbours.Train(ctx, l, neighbours.Settings{}))
	add(baskets.Train(ctx, l, baskets.Settings{}))
	add(sequential.Train(ctx, l, sequential.Settings{}))
	add(popular.Count(l, interactions.Weighting{}))
	var items []content.Item
	for i := range l.Items().Len() {
		items = append(items, content.Item{Attributes: []string{fmt.Sprint(i % 7)}, Embedding: []float32{float32(i), 1}})
	}
	add(content.New(items, content.Settings{}))
	return out, l
}

func TestWhatIsKeptIsWhatWasTrained(t *testing.T) {
	t.Parallel()
	b, l := bundle(t)
	encoded := b.Encode()
	if !bytes.Equal(encoded, b.Encode()) {
		t.Error("the same models have other bytes")
	}
	back, err := trained.DecodeBundle(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(back.Items.IDs(), b.Items.IDs()) || len(back.Models) != 7 {
		t.Fatalf("%d items and %d models come back", back.Items.Len(), len(back.Models))
	}
	was, is := make([]float32, l.Items().Len()), make([]float32, l.Items().Len())
	for kind, model := range b.Models {
		if back.Models[kind].Kind() != kind {
			t.Errorf("%s comes back as %s", kind, back.Models[kind].Kind())
		}
		for p := range 20 {
			model.Score(l.Events(p), was)
			back.Models[kind].Score(l.Events(p), is)
			for i := range was {
				if math.Float32bits(was[i]) != math.Float32bits(is[i]) {
					t.Fatalf("%s: item %d has %v, before %v", kind, i, is[i], was[i])
				}
			}
		}
	}
}

// Every damage is an error, also in a model whose checksum was made anew.
func TestDamagedModels(t *testing.T) {
	t.Parallel()
	b, _ := bundle(t)
	for kind, model := range b.Models {
		encoded := model.Encode()
		for i := range 40 {
			if _, err := trained.Decode(encoded[:len(encoded)*i/40]); err == nil {
				t.Errorf("%s: %d fortieths are a model", kind, i)
			}
		}
		empty := modelfile.NewWriter(kind, struct{}{}).Finish()
		if _, err := trained.Decode(empty); err == nil {
			t.Errorf("%s: nothing is a model", kind)
		}
	}
	if _, err := trained.Decode(modelfile.NewWriter("neural", nil).Finish()); err == nil {
		t.Error("a model of an unknown kind is read")
	}
	if _, err := trained.DecodeBundle(b.Models["ials"].Encode()); err == nil {
		t.Error("a model is a bundle")
	}
}

func TestLoadingTakesMilliseconds(t *testing.T) {
	t.Parallel()
	m := &interactions.Matrix{Columns: 20_000, Start: []int{0}}
	for p := range 2000 {
		for i := range 20 {
			m.Index, m.Value = append(m.Index, int32((p*37+i*997)%20_000)), append(m.Value, 1)
		}
		slices.Sort(m.Index[20*p:])
		m.Start = append(m.Start, len(m.Index))
	}
	model, err := implicit.Train(t.Context(), m, implicit.Settings{Factors: 64, Epochs: 1}, implicit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	encoded := model.Encode()
	fastest := time.Hour
	for range 5 {
		started := time.Now()
		if _, err := trained.Decode(encoded); err != nil {
			t.Fatal(err)
		}
		fastest = min(fastest, time.Since(started))
	}
	t.Logf("%d bytes load in %v", len(encoded), fastest)
	// Two orders of magnitude above what it takes, for machines that do other things.
	if fastest > time.Second {
		t.Errorf("%d bytes load in %v", len(encoded), fastest)
	}
}
