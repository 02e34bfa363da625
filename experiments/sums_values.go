package experiments

import (
	"fmt"
	"math"
	"strings"

	"quintet/experiments/stats"
)

// metricColumns are what a statement computes of one metric: columns per unit,
// and the sums over units in the order in which they are read.
type metricColumns struct {
	def  *Metric
	unit []string
	sums []sumColumn
}

// sumColumn is one number of the result, or, as an array, several.
type sumColumn struct {
	sql   string
	width int  // of an array; 0 or 1 for a number
	bound bool // it is the bound of a cap, the same in every row
	set   func(s *Sums, v []float64)
}

// unitValue is what a metric says about one unit within a window.
type unitValue struct {
	columns []string
	y, d    string // columns of outcomes; d is empty unless it is a ratio
}

// addMetrics writes the columns of all metrics of the request.
func (b *builder) addMetrics() {
	r := b.request
	if c := r.Covariates; c != nil {
		for _, t := range c.Traits {
			b.traits = append(b.traits, place(&b.facts.traits, t))
		}
		if c.Metric != nil && c.Days > 0 && c.Metric.hasPast() {
			v := b.value(c.Metric, "_past", -days(c.Days), 0)
			b.shared = &v
		}
	}
	if r.By.Kind == ByDimension {
		for _, d := range r.By.Dimensions {
			place(&b.facts.dimensions, d)
		}
	}
	for i := range r.Metrics {
		b.metrics = append(b.metrics, b.metric(i))
	}
}

func days(n float64) int64 { return int64(math.Round(n * 86_400_000)) }

// value writes a unit's value of a metric in a window around its first exposure.
func (b *builder) value(m *Metric, suffix string, from, to int64) unitValue {
	f := &b.facts
	f.within(from, to)
	in := fmt.Sprintf("f.at >= e.first_at + (%d) AND f.at < e.first_at + %d", from, to)
	isEvent := f.event(m.Event, m.Filter) + " AND " + in
	isDecision := fmt.Sprintf("f.code = %d AND %s", decisionCode, in)
	var y string
	switch {
	case m.Kind == ProportionKind || m.Kind == RetentionKind:
		y = fmt.Sprintf("toFloat64(countIf(%s) > 0)", isEvent)
	case m.Property == "":
		y = fmt.Sprintf("toFloat64(countIf(%s))", isEvent)
	default:
		p := f.property(m.Property)
		y = exactSum(fmt.Sprintf("f.p%d", p), fmt.Sprintf("%s AND isFinite(f.p%d)", isEvent, p))
	}
	if m.subtractsCost() {
		f.decisions = true
		y += " - " + exactSum("f.cost", isDecision)
	}
	v := unitValue{columns: []string{y + " AS y" + suffix}, y: "o.y" + suffix}
	if m.Kind != RatioKind {
		return v
	}
	d := fmt.Sprintf("toFloat64(countIf(%s))", isDecision)
	if event, ok := strings.CutPrefix(m.Denominator, eventPrefix); ok {
		isDenominator := f.event(event, nil) + " AND " + in
		d = fmt.Sprintf("toFloat64(countIf(%s))", isDenominator)
		if m.DenominatorProperty != "" {
			p := f.property(m.DenominatorProperty)
			d = exactSum(fmt.Sprintf("f.p%d", p), fmt.Sprintf("%s AND isFinite(f.p%d)", isDenominator, p))
		}
	} else {
		f.decisions = true
	}
	v.columns, v.d = append(v.columns, d+" AS d"+suffix), "o.d"+suffix
	return v
}

// metric writes the columns of metric i.
func (b *builder) metric(i int) metricColumns {
	m := &b.request.Metrics[i]
	from, to := m.window()
	suffix := fmt.Sprint(i)
	c := metricColumns{def: m}
	condition := "1"
	if m.waits() {
		condition = b.passed("o.first_at", to)
	}
	switch {
	case m.Kind == FunnelKind:
		b.funnel(&c, suffix, from, to)
		return c
	case m.Kind == QuantileKind && m.Quantile.Of == QuantileOfEvents:
		b.quantileOfEvents(&c, suffix, from, to)
		return c
	case m.Kind == TimeToEventKind:
		b.timeToEvent(&c, suffix, to)
	default:
		v := b.value(m, suffix, from, to)
		c.unit = v.columns
	}
	b.eventCounts(&c, suffix, from, to)
	if m.Kind == QuantileKind {
		b.quantileOfPeople(&c, suffix)
		return c
	}
	b.moments(&c, i, suffix, condition)
	return c
}

// eventCounts counts the events that counted, and those without a usable number.
func (b *builder) eventCounts(c *metricColumns, suffix string, from, to int64) {
	m := c.def
	b.facts.within(from, to)
	is := fmt.Sprintf("%s AND f.at >= e.first_at + (%d) AND f.at < e.first_at + %d", b.facts.event(m.Event, m.Filter), from, to)
	c.unit = append(c.unit, "countIf("+is+") AS n"+suffix)
	c.add("toFloat64(sum(o.n"+suffix+"))", func(s *Sums, v float64) { s.Events = int64(v) })
	if m.Property == "" {
		return
	}
	p := b.facts.property(m.Property)
	c.unit = append(c.unit, fmt.Sprintf("countIf(%s AND NOT f.h%d) AS missing%s", is, p, suffix),
		fmt.Sprintf("countIf(%s AND f.h%d AND NOT isFinite(f.p%d)) AS infinite%s", is, p, p, suffix))
	c.add("toFloat64(sum(o.missing"+suffix+"))", func(s *Sums, v float64) { s.Missing = int64(v) })
	c.add("toFloat64(sum(o.infinite"+suffix+"))", func(s *Sums, v float64) { s.NotFinite = int64(v) })
}

func (c *metricColumns) add(sql string, set func(s *Sums, v float64)) {
	c.sums = append(c.sums, sumColumn{sql: sql, set: func(s *Sums, v []float64) { set(s, v[0]) }})
}

// moments adds up values, squares and products.
func (b *builder) moments(c *metricColumns, i int, suffix, condition string) {
	m := c.def
	y := "o.y" + suffix
	whole := m.Kind == CountKind || (m.Property == "" && !m.subtractsCost() && m.Kind != TimeToEventKind)
	sum := func(value string, whole bool) string {
		if whole { // sums of whole numbers are the same in any order
			return "sumIf(" + value + ", " + condition + ")"
		}
		return exactSum(value, condition)
	}
	product := func(x, y string, whole bool) string {
		if whole {
			return sum(x+" * "+y, true)
		}
		return exactProducts(x+" * "+y, condition)
	}
	c.add(fmt.Sprintf("toFloat64(countIf(%s != 0 AND %s))", y, condition), func(s *Sums, v float64) { s.NonZero = int64(v) })
	capped := y
	if m.Cap != nil {
		bound := b.capOf(i)
		capped = "least(" + y + ", " + bound + ")"
		c.sums = append(c.sums, sumColumn{sql: bound, bound: true, set: func(s *Sums, v []float64) { s.bound = v[0] }})
		c.add(fmt.Sprintf("toFloat64(countIf(%s > %s AND %s))", y, bound, condition), func(s *Sums, v float64) { s.Capped = int64(v) })
		c.add(sum(y, whole), func(s *Sums, v float64) { s.UncappedY = v })
		c.add(product(y, y, whole), func(s *Sums, v float64) { s.UncappedYY = v })
		whole = false // the bound need not be
	}
	if !m.Kind.binary() {
		c.add(sum(capped, whole), func(s *Sums, v float64) { s.Y = v })
		c.add(product(capped, capped, whole), func(s *Sums, v float64) { s.YY = v })
		if m.Kind != RatioKind && m.Kind != TimeToEventKind {
			c.add(product(capped+" * "+capped, capped, whole), func(s *Sums, v float64) { s.Cubes = v })
		}
	}
	d := ""
	if m.Kind == RatioKind {
		d = "o.d" + suffix
		counted := m.DenominatorProperty == ""
		c.add(sum(d, counted), func(s *Sums, v float64) { s.D = v })
		c.add(product(d, d, counted), func(s *Sums, v float64) { s.DD = v })
		c.add(product(capped, d, counted && whole), func(s *Sums, v float64) { s.YD = v })
	}
	b.covariates(c, i, suffix, capped, d, condition)
}

// covariate is one covariate of a metric in the statement.
type covariate struct {
	name, x string
	known   string // condition that it is known; empty where it always is
}

func (b *builder) covariatesOf(c *metricColumns, i int, suffix string) []covariate {
	r, m := b.request.Covariates, c.def
	if r == nil {
		return nil
	}
	var list []covariate
	past := r.Days
	if past > 0 && m.PastDays > 0 {
		past = m.PastDays
	}
	switch {
	case b.shared != nil:
		list = append(list, covariate{name: pastCovariate, x: b.shared.y})
	case past > 0 && r.Metric == nil && m.hasPast():
		v := b.value(m, suffix+"_past", -days(past), 0)
		c.unit = append(c.unit, v.columns...)
		x := v.y
		if m.Cap != nil {
			x = "least(" + x + ", " + b.capOf(i) + ")"
		}
		list = append(list, covariate{name: pastCovariate, x: x})
		if v.d != "" {
			list = append(list, covariate{name: pastDenominator, x: v.d})
		}
	}
	for _, t := range b.traits {
		list = append(list, covariate{name: b.facts.traits[t], x: fmt.Sprintf("o.t%d", t), known: fmt.Sprintf("o.u%d", t)})
	}
	return list
}

func (b *builder) covariates(c *metricColumns, i int, suffix, y, d, condition string) {
	list := b.covariatesOf(c, i, suffix)
	for j, x := range list {
		c.add(exactSum(x.x, condition), func(s *Sums, v float64) {
			s.Covariates = append(s.Covariates, CovariateSums{Name: x.name, X: v, known: -1})
		})
		c.add(exactProducts(x.x+" * "+y, condition), func(s *Sums, v float64) { s.Covariates[j].XY = v })
		if d != "" {
			c.add(exactProducts(x.x+" * "+d, condition), func(s *Sums, v float64) { s.Covariates[j].XD = v })
		}
		if x.known != "" {
			c.add(fmt.Sprintf("toFloat64(countIf(%s AND %s))", x.known, condition), func(s *Sums, v float64) { s.Covariates[j].known = int64(v) })
		}
	}
	for j := range list {
		for k := j; k < len(list); k++ {
			c.add(exactProducts(list[j].x+" * "+list[k].x, condition), func(s *Sums, v float64) { s.Cross = append(s.Cross, v) })
		}
	}
}

// timeToEvent adds up the hours of the window that were left when the event
// happened, which are zero for those of whom nothing is known; finish turns them
// into the hours until it.
func (b *builder) timeToEvent(c *metricColumns, suffix string, to int64) {
	b.facts.within(0, to)
	is := fmt.Sprintf("%s AND f.at >= e.first_at AND f.at < e.first_at + %d", b.facts.event(c.def.Event, c.def.Filter), to)
	c.unit = append(c.unit, fmt.Sprintf("if(countIf(%[1]s) > 0, (%[2]d - (minIf(f.at, %[1]s) - any(e.first_at))) / 3600000, 0.) AS y%[3]s", is, to, suffix))
}

// funnel counts how many steps a unit did in order.
func (b *builder) funnel(c *metricColumns, suffix string, from, to int64) {
	b.facts.within(from, to)
	steps := make([]string, len(c.def.Steps))
	for i, s := range c.def.Steps {
		steps[i] = fmt.Sprintf("%s AND f.at >= e.first_at + (%d) AND f.at < e.first_at + %d", b.facts.event(s.Event, s.Filter), from, to)
	}
	c.unit = append(c.unit, fmt.Sprintf("windowFunnel(%d)(toUInt64(f.at), %s) AS steps%s", to-from, strings.Join(steps, ", "), suffix))
	for i := range steps {
		last := i == len(steps)-1
		c.add(fmt.Sprintf("toFloat64(countIf(o.steps%s >= %d))", suffix, i+1), func(s *Sums, v float64) {
			s.Funnel = append(s.Funnel, int64(v))
			if last {
				s.NonZero = int64(v)
			}
		})
	}
}

// hasQuantiles says whether quantiles can be given: they do not add up, so that
// the value of a dimension that is left over has none.
func (b *builder) hasQuantiles() bool { return b.request.By.Kind == NoBreakdown }

func (b *builder) quantileOfPeople(c *metricColumns, suffix string) {
	y := "o.y" + suffix
	c.add("toFloat64(countIf("+y+" != 0))", func(s *Sums, v float64) { s.NonZero = int64(v) })
	c.add(exactSum(y, "1"), func(s *Sums, v float64) { s.Y = v })
	c.add(exactProducts(y+" * "+y, "1"), func(s *Sums, v float64) { s.YY = v })
	if !b.hasQuantiles() {
		return
	}
	n := "toFloat64(units_of[o.arm])"
	if c.def.Quantile.IgnoreZeros {
		n = "toFloat64(countIf(" + y + " != 0))"
	}
	level := c.def.Quantile.Level
	c.sums = append(c.sums, sumColumn{
		sql:   bind("a, n", "arraySort(groupArrayIf("+y+", "+y+" != 0))", n, quantileSQL(level)),
		width: quantileWidth, set: func(s *Sums, v []float64) { s.Quantile = quantileOf(level, v) },
	})
}

func (b *builder) quantileOfEvents(c *metricColumns, suffix string, from, to int64) {
	m := c.def
	b.eventCounts(c, suffix, from, to)
	p := b.facts.property(m.Property)
	c.unit = append(c.unit, fmt.Sprintf("groupArrayIf(f.p%[1]d, %[2]s AND f.at >= e.first_at + (%[3]d) AND f.at < e.first_at + %[4]d AND f.h%[1]d AND isFinite(f.p%[1]d)) AS values%[5]s",
		p, b.facts.event(m.Event, m.Filter), from, to, suffix))
	values := "o.values" + suffix
	c.add("toFloat64(countIf(notEmpty("+values+")))", func(s *Sums, v float64) { s.NonZero = int64(v) })
	if !b.hasQuantiles() {
		return
	}
	// The clusters are counted against the quantile, which is the second of q.
	clusters := bind("q, s", bind("a, n", "arraySort(arrayFlatten(groupArray("+values+")))", "toFloat64(sum(length("+values+")))", quantileSQL(m.Quantile.Level)), "groupArray("+values+")",
		bind("below, number", "arrayMap(u -> toFloat64(arrayCount(x -> x <= q[2], u)), s)", "arrayMap(u -> toFloat64(length(u)), s)",
			"arrayConcat(q, [arraySum(below), arraySum(arrayMap(x -> x * x, below)), arraySum(number), arraySum(arrayMap(x -> x * x, number)), arraySum(arrayMap((x, y) -> x * y, below, number))])"))
	level := m.Quantile.Level
	c.sums = append(c.sums, sumColumn{sql: clusters, width: quantileWidth + 5, set: func(s *Sums, v []float64) {
		s.Quantile = quantileOf(level, v)
		if s.Quantile != nil {
			w := v[quantileWidth:]
			s.Quantile.Clusters = &stats.Clusters{Below: w[0], BelowSquares: w[1], Events: w[2], EventSquares: w[3], Products: w[4]}
		}
	}})
}

// quantileWidth is the length of what quantileSQL gives: n, the quantile, the
// quantiles at the lower and the upper level, and the grid.
const quantileWidth = 5

func quantileOf(level float64, v []float64) *stats.Quantile {
	if v[0] < 1 {
		return nil
	}
	return &stats.Quantile{N: int64(v[0]), Level: level, Value: v[1], Lower: v[2], Upper: v[3], Grid: int64(v[4])}
}

// bind gives two expressions names within a third.
func bind(names, first, second, expression string) string {
	return fmt.Sprintf("arrayMap((%s) -> %s, [%s], [%s])[1]", names, expression, first, second)
}

// quantileSQL is the array that quantileWidth tells of, over the sorted values a
// and zeros, n values in all. The rest of [0, 1] is cut off.
func quantileSQL(level float64) string {
	p := floatLiteral(level)
	half := "1.959963984540054 * sqrt(" + floatLiteral(level*(1-level)) + " / g)"
	return bind("g, negative", "if(n < 100, n, 100 * exp2(floor(log2(n / 100))))", "toFloat64(arrayCount(x -> x < 0, a))",
		"[n, "+sampleQuantile(p)+", "+sampleQuantile(p+" - "+half)+", "+sampleQuantile(p+" + "+half)+", g]")
}

// sampleQuantile interpolates between order statistics (type 7 of Hyndman and
// Fan) of the sorted values a, of which negative are below zero, and as many
// zeros as make n values.
func sampleQuantile(level string) string {
	at := func(k string) string {
		return fmt.Sprintf("multiIf(%[1]s < negative, a[toInt64(%[1]s) + 1], %[1]s < n - length(a) + negative, 0., a[toInt64(%[1]s - (n - length(a))) + 1])", k)
	}
	return bind("h, k", "greatest(0., n - 1) * least(1., greatest(0., "+level+"))", "toFloat64(floor(greatest(0., n - 1) * least(1., greatest(0., "+level+"))))",
		"("+at("k")+" + (h - k) * ("+at("least(k + 1, n - 1)")+" - "+at("k")+"))")
}

// capOf is the SQL of the bound of metric i.
func (b *builder) capOf(i int) string {
	c := b.request.Metrics[i].Cap
	if c.Quantile == 0 {
		return floatLiteral(c.Value)
	}
	n := 1
	for j := range i {
		if o := b.request.Metrics[j].Cap; o != nil && o.Quantile != 0 {
			n++
		}
	}
	return fmt.Sprintf("caps[%d]", n)
}

// capsSQL computes the bounds that are quantiles, over all arms together.
func (b *builder) capsSQL() string {
	var list []string
	for i := range b.request.Metrics {
		c := b.request.Metrics[i].Cap
		if c == nil || c.Quantile == 0 {
			continue
		}
		y := fmt.Sprint("o.y", i)
		n := "assumeNotNull((SELECT toFloat64(countIf(mixed = 0)) FROM exposed))"
		if c.IgnoreZeros {
			n = "toFloat64(countIf(" + y + " != 0))"
		}
		list = append(list, bind("a, n", "arraySort(groupArrayIf("+y+", "+y+" != 0))", n,
			bind("negative, one", "toFloat64(arrayCount(x -> x < 0, a))", "1", sampleQuantile(floatLiteral(c.Quantile)))))
	}
	if len(list) == 0 {
		return ""
	}
	last := ""
	if b.request.By.grid != nil {
		last = " WHERE o.gone = 0 AND o.next = 0"
	}
	return "(SELECT [" + strings.Join(list, ", ") + "] FROM outcomes AS o" + last + ") AS caps"
}

// needsUnits says whether some figure needs how many units an arm has.
func (b *builder) needsUnits() bool {
	for i := range b.request.Metrics {
		if m := &b.request.Metrics[i]; m.Kind == QuantileKind && m.Quantile.Of == QuantileOfPeople && !m.Quantile.IgnoreZeros && b.hasQuantiles() {
			return true
		}
	}
	return false
}

// finish brings what was read into the form that a reader takes.
func (s *Sums) finish(m *Metric, units, matured int64) {
	s.Kind, s.Units, s.Matured = m.Kind, units, matured
	if m.waits() {
		s.Units = matured
	}
	if s.Kind.binary() {
		s.Y, s.YY = float64(s.NonZero), float64(s.NonZero)
	}
	for i := range s.Covariates {
		if c := &s.Covariates[i]; c.known >= 0 {
			c.Missing = s.Units - c.known
		}
	}
	if s.Quantile != nil && s.Quantile.Clusters != nil {
		s.Quantile.Clusters.N = s.Units
	}
	if m.Kind == TimeToEventKind {
		_, to := m.window()
		hours, n := float64(to)/3_600_000, float64(s.Units)
		s.Y, s.YY = n*hours-s.Y, n*hours*hours-2*hours*s.Y+s.YY
		for i := range s.Covariates {
			c := &s.Covariates[i]
			c.XY = hours*c.X - c.XY
		}
	}
	if m.Cap == nil {
		s.UncappedY, s.UncappedYY = s.Y, s.YY
	}
}
