package main

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quintet/internal/enginetest"
	"quintet/internal/importing"
	"quintet/recommend/offline"
)

// journey is The Complete Journey by the type of the product, in two parts of the time.
type journey struct {
	items, purchases string // files for the importer
	rows             int
	later            map[string]map[string]bool // what each household bought afterwards
	margin           map[string]float64
	popular          []string // the ten that most households bought in the first part
}

// typeKey is the type of a product as the key of an item.
func typeKey(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name)), "-")
}

// readJourney takes the households whose number share divides, and moves the time so that
// the first four fifths of their purchases end an hour ago. The data have no costs: what
// a private brand sells for is taken to be 35% margin, and that of a national one 25%,
// which is about what supermarkets report.
func readJourney(t *testing.T, share int) *journey {
	t.Helper()
	each := func(name string, f func(row map[string]string)) {
		in, err := os.Open(enginetest.SharedFile(t, "completejourney", name))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		r := csv.NewReader(in)
		header, err := r.Read()
		for err == nil {
			var fields []string
			if fields, err = r.Read(); err == nil {
				row := make(map[string]string, len(header))
				for i, name := range header {
					row[name] = fields[i]
				}
				f(row)
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	type product struct{ key, name, category, brand string }
	products := map[string]product{}
	each("products.csv", func(row map[string]string) {
		if key := typeKey(row["product_type"]); key != "" {
			levels := slices.Compact([]string{typeKey(row["department"]), typeKey(row["product_category"])})
			levels = slices.DeleteFunc(levels, func(level string) bool { return level == "" })
			products[row["product_id"]] = product{key, row["product_type"], strings.Join(levels, "/"), row["brand"]}
		}
	})
	type purchase struct {
		household, key string
		at             time.Time
	}
	type sums struct {
		product
		sales, quantity, margin float64
	}
	var purchases []purchase
	types := map[string]*sums{}
	each("transactions_sample.csv", func(row map[string]string) {
		p, known := products[row["product_id"]]
		household, err := strconv.Atoi(row["household_id"])
		at, errAt := time.Parse(time.DateTime, row["transaction_timestamp"])
		sales, errSales := strconv.ParseFloat(row["sales_value"], 64)
		quantity, errQuantity := strconv.ParseFloat(row["quantity"], 64)
		if err := errors.Join(err, errAt, errSales, errQuantity); err != nil {
			t.Fatal(err)
		}
		if !known || household%share != 0 || !(quantity > 0) {
			return
		}
		purchases = append(purchases, purchase{"h" + row["household_id"], p.key, at})
		if types[p.key] == nil {
			types[p.key] = &sums{product: p}
		}
		s := types[p.key]
		s.sales, s.quantity = s.sales+sales, s.quantity+min(quantity, 100) // fuel comes by the thousandth of a gallon
		if p.brand == "Private" {
			s.margin += 0.35 * sales
		} else {
			s.margin += 0.25 * sales
		}
	})
	slices.SortStableFunc(purchases, func(a, b purchase) int { return a.at.Compare(b.at) })
	cut := len(purchases) * 4 / 5
	shift := time.Now().Add(-time.Hour).Sub(purchases[cut-1].at)

	out := &journey{later: map[string]map[string]bool{}, margin: map[string]float64{}, rows: cut}
	write := func(name string, rows [][]string) string {
		path := filepath.Join(t.TempDir(), name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w := csv.NewWriter(f)
		if err := errors.Join(w.WriteAll(rows), f.Close()); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rows := [][]string{{"household", "type", "at"}}
	seen, buyers := map[string]bool{}, map[string]map[string]bool{}
	for n, p := range purchases {
		if n < cut {
			rows = append(rows, []string{p.household, p.key, p.at.Add(shift).Format(time.RFC3339)})
			seen[p.household] = true
			if buyers[p.key] == nil {
				buyers[p.key] = map[string]bool{}
			}
			buyers[p.key][p.household] = true
		} else if seen[p.household] {
			if out.later[p.household] == nil {
				out.later[p.household] = map[string]bool{}
			}
			out.later[p.household][p.key] = true
		}
	}
	out.popular = slices.SortedFunc(maps.Keys(buyers), func(a, b string) int {
		return cmp.Or(len(buyers[b])-len(buyers[a]), strings.Compare(a, b))
	})[:10]
	out.purchases = write("purchases.csv", rows)
	rows = [][]string{{"key", "name", "category", "price", "cost"}}
	for key, s := range types {
		price := s.sales / s.quantity
		out.margin[key] = s.margin / s.quantity
		rows = append(rows, []string{key, s.name, s.category, fmt.Sprintf("%.4f", price), fmt.Sprintf("%.4f", price-out.margin[key])})
	}
	out.items = write("items.csv", rows)
	return out
}

type journeyList struct {
	Items []journeyItem `json:"items"`
}

type journeyItem struct {
	ID          string  `json:"id"`
	Reason      string  `json:"reason"`
	Probability float64 `json:"probability"`
	Margin      float64 `json:"margin"`
}

// TestCompleteJourneyEndToEnd sends what households bought through the importer and asks
// for their lists, for what goes with an item, and for lists by margin; what they bought
// later judges the lists. QUINTET_TEST_FULL=1 takes all households.
func TestCompleteJourneyEndToEnd(t *testing.T) {
	t.Parallel()
	share := 3
	if os.Getenv("QUINTET_TEST_FULL") != "" {
		share = 1
	}
	j := readJourney(t, share)
	r := openResident(t, residentConfig(t))
	bring := func(kind importing.Kind, path, mapping string) {
		t.Helper()
		m, err := importing.ParseMapping([]byte(mapping), kind)
		if err != nil {
			t.Fatal(err)
		}
		var done jobs
		if err := importing.Run(t.Context(), r.client, importing.Options{Kind: kind, Path: path, Mapping: m, Reporter: &done}); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d rows accepted, %d rejected", kind, done.done.Accepted, done.done.Rejected)
		if done.done.Rejected > 0 {
			t.Errorf("%d rows of %s were rejected", done.done.Rejected, path)
		}
	}
	bring(importing.Items, j.items, "key: key\nname: name\ncategory: category\nprice: price\ncost: cost\n")
	bring(importing.Events, j.purchases, "userId: household\nevent: {const: Order Completed}\ntimestamp: at\nproperties: {product_id: type}\n")
	for key, p := range map[string]map[string]any{
		"again": {"kind": "home", "boughtDays": -1}, "earning": {"kind": "home", "boughtDays": -1, "goal": "margin"},
	} {
		if err := r.client.Do(t.Context(), http.MethodPut, "/v1/placements/"+key, p, nil); err != nil {
			t.Fatal(err)
		}
	}
	var state struct {
		Version *struct {
			BuiltAt time.Time `json:"builtAt"`
			Report  struct {
				Events   int    `json:"events"`
				Personal string `json:"personal"`
				Refused  string `json:"refused"`
			} `json:"report"`
		} `json:"version"`
		Rankers []struct {
			LearnedAt time.Time `json:"learnedAt"`
			Accepted  bool      `json:"accepted"`
			Report    struct {
				From          string         `json:"from"`
				Refused       string         `json:"refused"`
				Ranker        offline.Figure `json:"ranker"`
				Retrieval     offline.Figure `json:"retrieval"`
				OverRetrieval offline.Figure `json:"overRetrieval"`
			} `json:"report"`
		} `json:"rankers"`
	}
	// With the ranker that was learned beside it. What is left of an import is not always
	// worth another build.
	complete := func() bool {
		return state.Version != nil && state.Version.Report.Events > j.rows*9/10 && len(state.Rankers) > 0 && state.Rankers[0].LearnedAt.After(state.Version.BuiltAt)
	}
	for deadline := time.Now().Add(2 * time.Minute); !complete(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d purchases were not learned from in two minutes: %+v %+v", j.rows, *state.Version, state.Rankers)
		}
		if err := r.client.Get(t.Context(), "/v1/recommenders", &state); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("the build: %+v", *state.Version)
	t.Logf("the ranker: %+v", state.Rankers[0])
	list := func(query string) (l journeyList) {
		t.Helper()
		if err := r.client.Get(t.Context(), "/v1/recommendations?"+query, &l); err != nil {
			t.Fatal(err)
		}
		return l
	}

	// What goes with an item is what a supermarket knows.
	buns := list("item=" + typeKey("HAMBURGER BUNS") + "&limit=8")
	var beside []string
	for _, item := range buns.Items {
		beside = append(beside, item.ID+" ("+item.Reason+")")
	}
	t.Logf("with hamburger buns: %s", strings.Join(beside, ", "))
	if !slices.ContainsFunc(buns.Items, func(i journeyItem) bool { return i.ID == typeKey("HOT DOG BUNS") }) {
		t.Errorf("hot dog buns are not beside hamburger buns: %s", beside)
	}

	measures := map[string]map[string][]float64{}
	take := func(arm string, l journeyList, bought map[string]bool) {
		var hits, gain, ideal, profit, expected float64
		for place, item := range l.Items {
			expected += item.Probability * item.Margin
			if bought[item.ID] {
				hits++
				gain += 1 / math.Log2(float64(place)+2)
				profit += j.margin[item.ID]
			}
		}
		for place := range min(10, len(bought)) {
			ideal += 1 / math.Log2(float64(place)+2)
		}
		if measures[arm] == nil {
			measures[arm] = map[string][]float64{}
		}
		for name, v := range map[string]float64{"recall": hits / float64(min(10, len(bought))), "NDCG": gain / ideal, "profit": profit, "expected profit": expected} {
			measures[arm][name] = append(measures[arm][name], v)
		}
	}
	everybody := list("placement=again")
	var popular journeyList
	for _, id := range j.popular {
		popular.Items = append(popular.Items, journeyItem{ID: id})
	}
	households := make([]string, 0, len(j.later))
	for household := range j.later {
		households = append(households, household)
	}
	slices.Sort(households)
	for _, household := range households {
		bought := j.later[household]
		take("popular", popular, bought)
		take("unknown", everybody, bought)
		take("personal", list("placement=again&user="+url.QueryEscape(household)), bought)
		take("by margin", list("placement=earning&user="+url.QueryEscape(household)), bought)
	}
	for _, arm := range []string{"popular", "unknown", "personal", "by margin"} {
		var said []string
		for _, name := range []string{"recall", "NDCG", "profit", "expected profit"} {
			value, half := offline.MeanInterval(measures[arm][name], 0.95)
			said = append(said, fmt.Sprintf("%s %.4f ± %.4f", name, value, half))
		}
		t.Logf("%-9s %d households: %s", arm, len(households), strings.Join(said, ", "))
	}
	over := func(arm, beside, name string) (value, half float64) {
		var d []float64
		for i, v := range measures[arm][name] {
			d = append(d, v-measures[beside][name][i])
		}
		value, half = offline.MeanInterval(d, 0.95)
		t.Logf("%s of %s over %s: %+.4f (%+.4f to %+.4f)", name, arm, beside, value, value-half, value+half)
		return value, half
	}
	for _, name := range []string{"recall", "NDCG"} {
		// A third of the households is too few to be certain of the second.
		if value, half := over("personal", "popular", name); value-half <= 0 && (name == "recall" || share == 1) {
			t.Errorf("%s of personal lists is not above that of what is popular: %+.4f ± %.4f", name, value, half)
		}
	}
	// Theirs is of lately, and that of the yardstick of all the time.
	if value, half := over("unknown", "popular", "NDCG"); value+half < -0.03 {
		t.Errorf("the list of somebody unknown is worse than what is popular: %+.4f ± %.4f", value, half)
	}
	over("by margin", "personal", "NDCG")
	if value, half := over("by margin", "personal", "profit"); value-half <= 0 {
		t.Errorf("lists by margin do not earn more: %+.4f ± %.4f", value, half)
	}
	if value, half := over("by margin", "personal", "expected profit"); value-half <= 0 {
		t.Errorf("lists by margin are not expected to earn more: %+.4f ± %.4f", value, half)
	}
}
