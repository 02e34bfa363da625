package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quintet/internal/enginetest"
	"quintet/recommend/implicit"
	"quintet/recommend/interactions"
	"quintet/recommend/offline"
)

// interactionsFile has people of two tastes, who take items of their own at random.
func interactionsFile(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("person,item,strength,at\n")
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 3000 {
		person := rng.IntN(97)
		item := 60*(person%2) + rng.IntN(60)
		fmt.Fprintf(&text, "p%d,i%d,%d,%d\n", person, item, 1+n%3, 1_700_000_000+n*600)
	}
	file := filepath.Join(t.TempDir(), "interactions.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEvaluateRecommend(t *testing.T) {
	t.Parallel()
	file := interactionsFile(t)
	items := filepath.Join(t.TempDir(), "items.csv")
	text := "id,taste,earns\n"
	for i := range 120 {
		text += fmt.Sprintf("i%d,%d,%d\n", i, i/60, i%3)
	}
	if err := os.WriteFile(items, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []string{protocolTime, protocolOne, protocolStrong, protocolRandom} {
		ask := recommendEvaluation{
			format: "csv", separator: ",", columns: interactions.Columns{Person: "person", Item: "item", Weight: "strength", Time: "at"},
			protocol: protocol, share: .2, input: .6, binary: true, fallBack: true, models: recommenders, k: []int{5, 10}, lambda: 20, shrinkage: 5,
			ials: implicit.Settings{Factors: 8, Epochs: 4}, seed: 1, items: items, itemID: "id", margin: "earns",
		}
		if protocol == protocolRandom {
			ask.trials = 3
		}
		report, err := ask.run(t.Context(), file)
		if err != nil {
			t.Fatalf("%s: %v", protocol, err)
		}
		var out bytes.Buffer
		if err := report.write(&out); err != nil {
			t.Fatal(err)
		}
		for _, model := range recommenders {
			if !strings.Contains(out.String(), "\n"+model+" ") {
				t.Errorf("%s: the table has no %s:\n%s", protocol, model, out.String())
			}
		}
		// Half of all items are of the other taste: a model that learns the tastes finds
		// nearly twice as much as one that does not.
		popular, ials := report.Models[0].Report.Value(offline.Recall, 5), report.Models[len(report.Models)-1].Report.Value(offline.Recall, 5)
		if alike, mixed := report.Models[len(report.Models)-1].Report.Value(offline.Diversity, 10), report.Models[0].Report.Value(offline.Diversity, 10); !(alike < mixed) {
			t.Errorf("%s: lists of one taste are as diverse (%.3f) as those of both (%.3f)", protocol, alike, mixed)
		}
		if !(report.Models[0].Report.Value(offline.Profit, 10) > 0) {
			t.Errorf("%s: what is found earns nothing", protocol)
		}
		if ials < 1.3*popular {
			t.Errorf("%s: iALS has recall %.3f, popularity %.3f\n%s", protocol, ials, popular, out.String())
		}
	}
}

func TestEvaluateRecommendRefuses(t *testing.T) {
	t.Parallel()
	file := interactionsFile(t)
	good := recommendEvaluation{format: "csv", separator: ",", columns: interactions.Columns{Person: "person", Item: "item"}, protocol: protocolOne, models: []string{"popular"}, k: []int{10}}
	for problem, change := range map[string]func(*recommendEvaluation){
		"--model must be":        func(e *recommendEvaluation) { e.models = []string{"neural"} },
		"--protocol must be":     func(e *recommendEvaluation) { e.protocol = "hope" },
		"--format must be":       func(e *recommendEvaluation) { e.format = "xml" },
		"--separator must be":    func(e *recommendEvaluation) { e.separator = ", " },
		"no column \"customer\"": func(e *recommendEvaluation) { e.columns.Person = "customer" },
		"needs --items":          func(e *recommendEvaluation) { e.models = []string{"content"} },
		"a column of --items":    func(e *recommendEvaluation) { e.margin = "earns" },
		"(--item-id)":            func(e *recommendEvaluation) { e.items = file },
		"--share must lie":       func(e *recommendEvaluation) { e.protocol = protocolTime },
		"lengths of lists":       func(e *recommendEvaluation) { e.k = []int{0} },
		"line 2":                 func(e *recommendEvaluation) { e.columns.Weight = "person" },
	} {
		ask := good
		change(&ask)
		if _, err := ask.run(t.Context(), file); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%v, want %q", err, problem)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.csv")
	if err := os.WriteFile(empty, []byte("person,item\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := good.run(t.Context(), empty); err == nil || !strings.Contains(err.Error(), "no interactions") {
		t.Errorf("an empty file: %v", err)
	}
}

// The figures of docs/methods/recommend.md by the command that it names.
func TestEvaluateRecommendOnMovieLens(t *testing.T) {
	t.Parallel()
	ask := recommendEvaluation{format: "movielens", test: enginetest.SharedFile(t, "ml-100k", "ua.test"), minWeight: 4, binary: true, models: []string{"popular"}, k: []int{10}}
	report, err := ask.run(t.Context(), enginetest.SharedFile(t, "ml-100k", "ua.base"))
	if err != nil {
		t.Fatal(err)
	}
	r := report.Models[0].Report
	if got := fmt.Sprintf("%.4f %.4f %.4f", r.Value(offline.HitRate, 10), r.Value(offline.Recall, 10), r.Value(offline.NDCG, 10)); got != "0.5246 0.1344 0.1268" {
		t.Errorf("popularity has %s, want 0.5246 0.1344 0.1268", got)
	}
}
