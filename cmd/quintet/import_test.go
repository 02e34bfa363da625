package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"quintet/internal/enginetest"
)

func (h *house) write(name, content string) string {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

type report struct {
	Checks []struct {
		Name   string `json:"name"`
		Passed bool   `json:"passed"`
	} `json:"checks"`
	Arms []struct {
		Variant string `json:"variant"`
		Units   int    `json:"units"`
	} `json:"arms"`
	Metrics []struct {
		Key     string `json:"key"`
		Effects []struct {
			Variant  string `json:"variant"`
			Absolute struct {
				Estimate float64 `json:"estimate"`
				Lower    float64 `json:"lower"`
				Upper    float64 `json:"upper"`
			} `json:"absolute"`
		} `json:"effects"`
	} `json:"metrics"`
}

// The published data set gives its known figures, however often it is imported.
func TestHillstrom(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("sends 64,000 customers twice; the short run imports less")
	}
	file := enginetest.SharedFile(t, "hillstrom.csv")
	h := newHouse(t)
	h.mustRun("import", "hillstrom", file)
	checkHillstrom(h)
	if _, said := h.mustRun("import", "hillstrom", file); !strings.Contains(said, "imported already") {
		t.Errorf("a second import said %q", said)
	}
	h.mustRun("import", "hillstrom", file, "--force")
	checkHillstrom(h)
	stored := h.serve()
	for query, want := range map[string]int{
		"SELECT count() FROM events FINAL WHERE type = 'identify'":                     64000,
		"SELECT count() FROM events FINAL WHERE event = 'Visited'":                     9394,
		"SELECT count() FROM events FINAL WHERE event = 'Order Completed'":             578,
		"SELECT count() FROM decisions FINAL WHERE decision_point = 'hillstrom-email'": 64000,
	} {
		if n := stored.count(query); n != want {
			t.Errorf("%d, want %d: %s", n, want, query)
		}
	}
}

func checkHillstrom(h *house) {
	h.t.Helper()
	out, _ := h.mustRun("report", "hillstrom", "--json")
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		h.t.Fatalf("the report is no JSON: %v\n%s", err, out)
	}
	units := map[string]int{}
	for _, a := range r.Arms {
		units[a.Variant] = a.Units
	}
	if units["mens"] != 21307 || units["womens"] != 21387 || units["none"] != 21306 {
		h.t.Errorf("people by arm: %v", units)
	}
	for _, c := range r.Checks {
		if !c.Passed {
			h.t.Errorf("the check %s fails", c.Name)
		}
	}
	type figure struct{ estimate, lower, upper float64 }
	nan := math.NaN()
	want := map[string]figure{
		"hillstrom-visit mens": {0.07659, 0.06995, 0.08322}, "hillstrom-visit womens": {0.04523, 0.03889, 0.05157},
		"hillstrom-conversion mens": {0.00681, nan, nan}, "hillstrom-conversion womens": {0.00311, nan, nan},
		"hillstrom-spend mens": {0.7698, nan, nan}, "hillstrom-spend womens": {0.4244, nan, nan},
	}
	// The expected figures have five digits behind the point, those of spend four; some
	// are cut, not rounded.
	near := func(name string, got, want float64) bool {
		half := 6e-6
		if strings.HasPrefix(name, "hillstrom-spend") {
			half = 6e-5
		}
		return math.IsNaN(want) || math.Abs(got-want) <= half
	}
	for _, m := range r.Metrics {
		for _, e := range m.Effects {
			name := m.Key + " " + e.Variant
			w, ok := want[name]
			delete(want, name)
			if !ok || !near(name, e.Absolute.Estimate, w.estimate) || !near(name, e.Absolute.Lower, w.lower) || !near(name, e.Absolute.Upper, w.upper) {
				h.t.Errorf("%s: %+v, want %+v", name, e.Absolute, w)
			}
		}
	}
	if len(want) != 0 {
		h.t.Errorf("the report lacks %v", want)
	}
}

// Files with good and bad rows: the good ones arrive, the bad ones are listed.
func TestImportFiles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.serve()

	customers := h.write("customers.csv", "id;mail;born\n1001;Anna@Example.org;01.03.1990\n;nobody@example.org;\n1003;vera@example.org;soon\n"+
		strings.Repeat("x", 300)+";long@example.org;\n1004;\"open;\n1005;last@example.org;\n")
	mapping := h.write("customers.yaml", "delimiter: ';'\nuserId: id\ntraits:\n  email: mail\n  birthday: {from: born, type: time, layout: 02.01.2006}\n")
	rejects := filepath.Join(t.TempDir(), "rejects.csv")
	if _, said := h.mustRun("import", "profiles", customers, "--mapping", mapping, "--rejects", rejects); !strings.Contains(said, "2 accepted, 4 rejected") {
		t.Errorf("the import said %q", said)
	}
	listed, err := os.ReadFile(rejects)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"3,2,\"the row names nobody", "4,3,\"traits.birthday must be a time", "5,4,userId must not be longer than 256 characters", "6,5,not a row of CSV"} {
		if !strings.Contains(string(listed), part) {
			t.Errorf("the rejects lack %q:\n%s", part, listed)
		}
	}
	var p struct {
		Traits map[string]any `json:"traits"`
	}
	if err := s.client.Get(t.Context(), "/v1/profiles/email:anna@example.org", &p); err != nil || p.Traits["birthday"] != "1990-03-01T00:00:00Z" {
		t.Errorf("profile %+v, %v", p, err)
	}

	items := h.write("items.ndjson", `{"sku":"boot","title":"Boot","price":59.9,"left":3}`+"\n"+`{"sku":"hat","title":"","price":5}`+"\n"+`{"sku":"bad key!","title":"X"}`+"\n")
	itemMapping := h.write("items.yaml", "key: sku\nname: title\nprice: {from: price, default: 0}\nstock: {from: left, default: 1}\n")
	if _, said := h.mustRun("import", "items", items, "--mapping", itemMapping); !strings.Contains(said, "1 accepted, 2 rejected") {
		t.Errorf("the import of items said %q", said)
	}
	var item struct {
		Price float64 `json:"price"`
		Stock int     `json:"stock"`
	}
	if err := s.client.Get(t.Context(), "/v1/items/boot", &item); err != nil || item.Price != 59.9 || item.Stock != 3 {
		t.Errorf("item %+v, %v", item, err)
	}

	nowhere := h.write("nowhere.yaml", "userId: number\n")
	if _, said, err := h.run("import", "profiles", customers, "--mapping", nowhere); err == nil || !strings.Contains(said, `"number"`) {
		t.Errorf("a mapping that points nowhere: %v %q", err, said)
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

// An import that is killed goes on where it stopped, and every row is stored once.
func TestImportGoesOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.serve()
	const rows = 60_000
	var content strings.Builder
	for i := range rows {
		fmt.Fprintf(&content, "{\"user\":\"u%d\",\"value\":%d,\"note\":\"a purchase like many others before it\"}\n", i%500, i)
	}
	file := h.write("events.ndjson", content.String())
	mapping := h.write("events.yaml", "userId: user\nevent: {const: Bought}\nproperties: {value: value, note: note}\n")

	first := h.command(context.WithoutCancel(t.Context()), "import", "events", file, "--mapping", mapping)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); importedRows(s) == 0; time.Sleep(2 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatal("the import makes no progress")
		}
	}
	_ = first.Process.Kill() // whether it was still running shows below
	_ = first.Wait()
	done := importedRows(s)
	if done == 0 || done == rows {
		t.Fatalf("killed behind row %d of %d, which tests nothing", done, rows)
	}
	_, said := h.mustRun("import", "events", file, "--mapping", mapping)
	if !strings.Contains(said, "going on behind row") || !strings.Contains(said, fmt.Sprintf("%d rows done, %d accepted", rows, rows)) {
		t.Errorf("the second run said %q", said)
	}
	if n, distinct := s.count("SELECT count() FROM events FINAL"), s.count("SELECT uniqExact(message_id) FROM events"); n != rows || distinct != rows {
		t.Errorf("%d rows, %d distinct, want %d", n, distinct, rows)
	}
	if sum := s.count("SELECT toUInt64(sum(numbers['value'])) FROM events FINAL"); sum != rows*(rows-1)/2 {
		t.Errorf("the values sum to %d", sum)
	}
}

func importedRows(s *served) int {
	s.t.Helper()
	var list struct {
		Items []struct {
			RowsDone int `json:"rowsDone"`
		} `json:"items"`
	}
	if err := s.client.Get(s.t.Context(), "/v1/imports", &list); err != nil {
		s.t.Fatal(err)
	}
	if len(list.Items) == 0 {
		return 0
	}
	return list.Items[0].RowsDone
}
