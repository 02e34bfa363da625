package experiments

import (
	"math"
	"slices"
	"testing"

	"quintet/internal/enginetest"
)

// What does not fit its kind is refused, by the name of the field.
func TestMetricRules(t *testing.T) {
	t.Parallel()
	steps := []FunnelStep{{Event: "A"}, {Event: "B"}}
	for name, c := range map[string]struct {
		metric Metric
		fields []string
	}{
		"as it was":                  {Metric{Kind: MeanKind, Event: "Buy", Property: "revenue", SubtractContactCost: true}, nil},
		"ratio as it was":            {Metric{Kind: RatioKind, Event: "Buy"}, nil},
		"margin":                     {Metric{Kind: MarginKind, Event: "Buy"}, nil},
		"funnel":                     {Metric{Kind: FunnelKind, Steps: steps}, nil},
		"retention":                  {Metric{Kind: RetentionKind, Event: "Open", FromDays: 7, ToDays: 14}, nil},
		"quantile":                   {Metric{Kind: QuantileKind, Event: "Buy", Property: "x", Quantile: &QuantileOf{Level: .9}}, nil},
		"capped":                     {Metric{Kind: CountKind, Event: "Buy", Cap: &Cap{Quantile: .99}}, nil},
		"unknown kind":               {Metric{Kind: "median", Event: "Buy"}, []string{"kind"}},
		"no event":                   {Metric{Kind: CountKind}, []string{"event"}},
		"count of a property":        {Metric{Kind: CountKind, Event: "Buy", Property: "x"}, []string{"property"}},
		"funnel of one step":         {Metric{Kind: FunnelKind, Steps: steps[:1]}, []string{"steps"}},
		"funnel with an event":       {Metric{Kind: FunnelKind, Steps: steps, Event: "A"}, []string{"event"}},
		"steps of a mean":            {Metric{Kind: MeanKind, Event: "Buy", Steps: steps}, []string{"steps"}},
		"retention backwards":        {Metric{Kind: RetentionKind, Event: "Open", FromDays: 7, ToDays: 7}, []string{"toDays"}},
		"retention without end":      {Metric{Kind: RetentionKind, Event: "Open", FromDays: 7, ToDays: math.Inf(1)}, []string{"toDays"}},
		"retention with a window":    {Metric{Kind: RetentionKind, Event: "Open", ToDays: 7, WindowHours: 3}, []string{"windowHours"}},
		"window backwards":           {Metric{Kind: CountKind, Event: "Buy", WindowFromHours: 48, WindowHours: 24}, []string{"windowFromHours"}},
		"window of nothing":          {Metric{Kind: CountKind, Event: "Buy", WindowHours: math.NaN()}, []string{"windowHours"}},
		"cap of a share":             {Metric{Kind: ProportionKind, Event: "Buy", Cap: &Cap{Value: 1}}, []string{"cap"}},
		"cap twice":                  {Metric{Kind: MeanKind, Event: "Buy", Cap: &Cap{Value: 1, Quantile: .9}}, []string{"cap.quantile"}},
		"cap of nothing":             {Metric{Kind: MeanKind, Event: "Buy", Cap: &Cap{}}, []string{"cap.value"}},
		"cap below the median":       {Metric{Kind: MeanKind, Event: "Buy", Cap: &Cap{Quantile: .3}}, []string{"cap.quantile"}},
		"negative cap":               {Metric{Kind: MeanKind, Event: "Buy", Cap: &Cap{Value: -1}}, []string{"cap.value"}},
		"quantile of nothing":        {Metric{Kind: QuantileKind, Event: "Buy"}, []string{"quantile"}},
		"quantile of one":            {Metric{Kind: QuantileKind, Event: "Buy", Quantile: &QuantileOf{Level: 1}}, []string{"quantile.level"}},
		"quantile of mere events":    {Metric{Kind: QuantileKind, Event: "Buy", Quantile: &QuantileOf{Level: .5, Of: QuantileOfEvents}}, []string{"property"}},
		"level of a mean":            {Metric{Kind: MeanKind, Event: "Buy", Quantile: &QuantileOf{Level: .5}}, []string{"quantile"}},
		"denominator of decisions":   {Metric{Kind: RatioKind, Event: "Buy", DenominatorProperty: "x"}, []string{"denominatorProperty"}},
		"denominator without a name": {Metric{Kind: RatioKind, Event: "Buy", Denominator: "event:"}, []string{"denominator"}},
		"past of a funnel":           {Metric{Kind: FunnelKind, Steps: steps, PastDays: 7}, []string{"pastDays"}},
		"margin of all":              {Metric{Kind: MeanKind, Event: "Buy", Margin: 1}, []string{"margin"}},
		"time from later on":         {Metric{Kind: TimeToEventKind, Event: "Buy", WindowFromHours: 1}, []string{"windowFromHours"}},
		"bad filters": {Metric{Kind: CountKind, Event: "Buy", Filter: []PropertyCondition{
			{Property: "a", Operator: "like", Value: "x"}, {Operator: PropertyExists}, {Property: "b", Operator: PropertyAbove, Value: "1"},
			{Property: "c", Operator: PropertyIn, Value: []any{}}, {Property: "d", Operator: PropertyMissing, Value: 1.}, {Property: "e", Operator: PropertyEquals, Value: map[string]any{}},
			{Property: "f", Operator: PropertyContains, Value: ""}, {Property: "g", Operator: PropertyBelow, Value: math.NaN()},
		}}, []string{"filter[0].operator", "filter[1].property", "filter[2].value", "filter[3].value", "filter[4].value", "filter[5].value", "filter[6].value", "filter[7].value"}},
	} {
		c.metric.normalise()
		var fields []string
		for _, v := range c.metric.validate() {
			fields = append(fields, v.Field)
		}
		slices.Sort(fields)
		slices.Sort(c.fields)
		if !slices.Equal(fields, c.fields) {
			t.Errorf("%s: the fields %q are refused, want %q", name, fields, c.fields)
		}
	}
}

// Each operator says of each property what it should, whatever the text.
func TestFilterInSQL(t *testing.T) {
	t.Parallel()
	db := enginetest.ClickHouse(t)
	const row = `(SELECT map('n', 5., 'cart.total', 7.) AS numbers, '{"n":5,"s":"it\\\\s \'5\'","flag":true,"off":false,"none":null,"cart":{"total":7,"kind":"gift"},"a.b":"dotted","b":"Bool"}' AS properties)`
	var properties string
	if err := db.Read.QueryRow(t.Context(), "SELECT x.properties FROM "+row+" AS x").Scan(&properties); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		property string
		operator PropertyOperator
		value    any
		want     bool
	}{
		{"n", PropertyEquals, 5., true}, {"n", PropertyEquals, "5", false}, {"n", PropertyDiffers, "5", true}, {"n", PropertyAbove, 4.5, true}, {"n", PropertyAbove, 5., false},
		{"n", PropertyAtLeast, 5., true}, {"n", PropertyBelow, 5., false}, {"n", PropertyAtMost, 5., true}, {"n", PropertyIn, []any{"x", 5.}, true}, {"n", PropertyNotIn, []any{5.}, false},
		{"s", PropertyEquals, `it\s '5'`, true}, {"s", PropertyContains, `\s '`, true}, {"s", PropertyStartsWith, "it", true}, {"s", PropertyStartsWith, "5", false}, {"s", PropertyAbove, 1., false},
		{"s", PropertyIn, []any{true, `it\s '5'`}, true}, {"s", PropertyEquals, "'; DROP TABLE x", false}, {"s", PropertyEquals, "'Bool'", false},
		{"b", PropertyEquals, "Bool", true}, {"b", PropertyIn, []any{"kind", "Bool"}, true}, {"flag", PropertyEquals, true, true}, {"flag", PropertyEquals, "true", false}, {"flag", PropertyEquals, false, false}, {"off", PropertyIn, []any{false}, true}, {"flag", PropertyDiffers, false, true},
		{"cart.total", PropertyAbove, 6., true}, {"cart.kind", PropertyEquals, "gift", true}, {"a.b", PropertyEquals, "dotted", true}, {"cart.kind", PropertyExists, nil, true}, {"cart.colour", PropertyExists, nil, false},
		{"n", PropertyExists, nil, true}, {"n", PropertyMissing, nil, false}, {"none", PropertyMissing, nil, true}, {"nothing", PropertyMissing, nil, true}, {"nothing", PropertyDiffers, "x", false},
		{"nothing", PropertyNotIn, []any{"x"}, false}, {"nothing", PropertyBelow, 1., false}, {"nothing", PropertyEquals, 0., false},
	} {
		condition := PropertyCondition{Property: c.property, Operator: c.operator, Value: c.value}
		var got bool
		if err := db.Read.QueryRow(t.Context(), "SELECT toBool("+filterSQL([]PropertyCondition{condition})+") FROM "+row+" AS x").Scan(&got); err != nil {
			t.Errorf("%s %s %v: %v", c.property, c.operator, c.value, err)
		} else if got != c.want {
			t.Errorf("%s %s %v is %t of %s", c.property, c.operator, c.value, got, properties)
		}
	}
}
