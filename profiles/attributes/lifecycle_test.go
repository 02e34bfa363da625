package attributes

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestBoardAndGrid(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	for _, path := range []string{"/v1/lifecycle/board", "/v1/lifecycle/rfm", "/v1/attribute-status"} {
		if status, out := b.Call("GET", path, ""); status != 503 {
			t.Errorf("%s before the first run: %d %v", path, status, out)
		}
	}
	for i := range 10 {
		for range 1 + i/4 {
			b.Track(event(fmt.Sprintf("u%d", i), "Order Completed", float64(1+10*i), fmt.Sprintf(`{"revenue":%d}`, 10+i)))
		}
	}
	b.Track(event("seen", "Product Viewed", 2, `{}`))
	b.compute()
	board := b.Must("GET", "/v1/lifecycle/board", "")
	if board["people"] != 11.0 || board["customers"] != 10.0 {
		t.Errorf("board: %v", board)
	}
	for name, wantOfAll := range map[string]float64{"stages": 11, "segments": 11, "rfmSegments": 10} {
		people, share, spend := 0., 0., 0.
		for _, p := range board[name].([]any) {
			place := p.(map[string]any)
			people += place["people"].(float64)
			share += place["share"].(float64)
			spend += place["spendShare"].(float64)
		}
		if people != wantOfAll || math.Abs(share-1) > 1e-12 || math.Abs(spend-1) > 1e-12 {
			t.Errorf("%s hold %g people, shares %g and %g of spend", name, people, share, spend)
		}
	}
	byStage, inStages := map[string]float64{}, map[string]float64{}
	for _, p := range board["stages"].([]any) {
		inStages[p.(map[string]any)["key"].(string)] = p.(map[string]any)["people"].(float64)
	}
	for _, p := range board["segments"].([]any) {
		place, sum := p.(map[string]any), 0.
		stages, _ := place["stages"].([]any) // none where nobody is
		for _, each := range stages {
			part := each.(map[string]any)
			byStage[part["stage"].(string)] += part["people"].(float64)
			sum += part["people"].(float64)
		}
		if sum != place["people"] {
			t.Errorf("segment %v has %v people, and %g in stages", place["key"], place["people"], sum)
		}
	}
	for stage, people := range inStages {
		if byStage[stage] != people {
			t.Errorf("stage %s has %g people, and its segments %g", stage, people, byStage[stage])
		}
	}
	past := b.Must("GET", "/v1/lifecycle/board?at=2026-05-16T12:00:00Z", "") // first orders of 31, 41, … 91 days ago
	if past["people"] != 7.0 || past["customers"] != 7.0 || past["computedAt"] != "2026-05-16T12:00:00Z" {
		t.Errorf("board of the past: %v", past)
	}
	if status, out := b.Call("GET", "/v1/lifecycle/board?at=2027-01-01T00:00:00Z", ""); status != 422 {
		t.Errorf("board of the future: %d %v", status, out)
	}
	grid := b.Must("GET", "/v1/lifecycle/rfm", "")
	people := 0.
	for _, cell := range grid["grid"].([]any) {
		people += cell.(map[string]any)["people"].(float64)
	}
	if len(grid["grid"].([]any)) != 25 || people != 10 || len(grid["cuts"].(map[string]any)["days"].([]any)) != 4 {
		t.Errorf("grid: %v", grid)
	}
	catalogue := b.Must("GET", "/v1/attribute-catalogue", "")
	if len(catalogue["items"].([]any)) != len(BuiltIns()) {
		t.Errorf("catalogue: %v", catalogue)
	}
}

func TestLifecycleTable(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	got := b.Must("GET", "/v1/lifecycle", "")
	if got["version"] != 0.0 || len(got["segments"].([]any)) != 14 || len(got["facts"].([]any)) != 27 || len(got["unreachable"].([]any)) != 4 {
		t.Fatalf("default: %v", got)
	}
	table := `{"stages":[{"key":"customer","any":[{"all":[{"fact":"orders","is":">=","value":1}]}]},{"key":"other"}],"commerce":{"orders":["Bought"]},
		"rfm":{"method":"fixed","recencyDays":[90,60,30,10],"orders":[2,3,4,5],"spend":[10,20,30,40]}}`
	if got = b.Must("PUT", "/v1/lifecycle", table); got["version"] != 1.0 || len(got["stages"].([]any)) != 2 || got["updatedBy"] == "" {
		t.Fatalf("put: %v", got)
	}
	b.Track(event("a", "Bought", 5, `{"revenue":35}`), event("b", "Order Completed", 5, `{"revenue":35}`))
	b.compute()
	if a, other := b.attributes("a"), b.attributes("b"); a["stage"] != "customer" || a["rfm"] != "514" || other["stage"] != "other" || other["orders"] != 0.0 {
		t.Errorf("a is %v, b is %v", a, other)
	}
	for name, body := range map[string]string{
		"body.stages[0].any[0].all[0].fact": `{"stages":[{"key":"a","any":[{"all":[{"fact":"colour","is":"=","value":1}]}]},{"key":"b"}]}`,
		"body.rfm.spend":                    `{"rfm":{"method":"fixed","recencyDays":[4,3,2,1],"orders":[1,2,3,4]}}`,
		"body.colour":                       `{"colour":1}`,
	} {
		status, out := b.Call("PUT", "/v1/lifecycle", body)
		if status != 422 || out["errors"].([]any)[0].(map[string]any)["location"] != name {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
}

// The matrix of past months is that of people as they were, although they are all
// known only since today.
func TestMatrixOfThePast(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	day := func(date string) float64 {
		at, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		return now.Sub(at).Hours() / 24
	}
	b.Track(
		event("a", "Order Completed", day("2026-03-20"), `{"revenue":10}`), // first order; then due; then cooling in June, after 90 days
		event("b", "Order Completed", day("2026-03-10"), `{"revenue":10}`), event("b", "Order Completed", day("2026-04-10"), `{"revenue":10}`),
		event("c", "Product Viewed", day("2026-04-05"), `{}`), event("c", "Order Completed", day("2026-05-20"), `{"revenue":10}`),
	)
	b.Stored()
	m := b.Must("GET", "/v1/lifecycle/matrix?from=2026-03&to=2026-06", "")
	want := map[string]map[string]float64{
		"2026-03": {" first-order": 2},
		"2026-04": {"first-order second-order-due": 1, "first-order repeat": 1, " product-browser": 1},
		"2026-05": {"second-order-due second-order-due": 1, "repeat repeat": 1, "product-browser first-order": 1},
		"2026-06": {"second-order-due second-order-due": 1, "repeat repeat": 1, "first-order first-order": 1},
	}
	months := m["months"].([]any)
	if len(months) != len(want) {
		t.Fatalf("%d months: %v", len(months), m)
	}
	for _, entry := range months {
		month := entry.(map[string]any)
		moves := map[string]float64{}
		for _, x := range month["moves"].([]any) {
			move := x.(map[string]any)
			moves[fmt.Sprintf("%s %s", move["from"], move["to"])] = move["people"].(float64)
		}
		if fmt.Sprint(moves) != fmt.Sprint(want[month["month"].(string)]) {
			t.Errorf("%s: %v, want %v", month["month"], moves, want[month["month"].(string)])
		}
	}
	for query, location := range map[string]string{
		"from=2026-13": "query.from", "from=2026-05&to=2026-04": "query.to", "from=2023-01&to=2026-01": "query.to", "from=2027-01&to=2027-02": "query.from", "by=colour": "query.by",
	} {
		status, out := b.Call("GET", "/v1/lifecycle/matrix?"+query, "")
		if status != 422 || out["errors"].([]any)[0].(map[string]any)["location"] != location {
			t.Errorf("%s: %d %v", query, status, out)
		}
	}
}
