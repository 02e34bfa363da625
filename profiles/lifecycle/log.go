package lifecycle

import (
	"fmt"
	"strings"
	"time"
)

// Log writes the queries that turn the log of events into facts as of a moment.
// Only events that happened before the moment count, also those that were
// received later. People are those of the map of merges as it is now, so that two
// moments can be compared person by person.
//
// An event that was stored twice counts once: the log is read with FINAL.
type Log struct {
	Commerce Commerce
	// Until is the moment; it has the log's resolution of a millisecond.
	Until time.Time
	// Items has [Log.Orders] tell the products of each order too.
	Items bool
}

// NoteSource is the source of events that the service itself writes.
const NoteSource = "system"

// sessionGap is the silence in seconds that ends a session.
const sessionGap = 1800

// People is the subquery that says to whom each merged profile belongs now.
const People = "(SELECT profile_id, argMax(person_id, (valid_from, stamp)) AS person FROM person_map GROUP BY profile_id)"

// Person is the expression of the person of an event e beside People m.
const Person = "if(m.person = '', e.profile_id, m.person)"

// Source is the FROM clause of events e with their people m.
const Source = "events AS e FINAL LEFT JOIN " + People + " AS m ON e.profile_id = m.profile_id"

// Orders selects one row per order: person_id, at (Unix milliseconds), revenue,
// margin (NaN when unknown), discounted (0 or 1), channel and referrer, and with
// Items the list of (category, quantity). Where two events have one order id, the
// one received first counts.
func (l Log) Orders() string {
	c := &l.Commerce
	price, quantity, cost := Path(c.Price), Path(c.Quantity), Path(c.UnitCost)
	items := fmt.Sprintf("JSONExtractArrayRaw(e.properties, %s)", Path(c.Products))
	pieces := fmt.Sprintf("if(JSONHas(x, %s), JSONExtractFloat(x, %s), 1.)", quantity, quantity)
	itemsRevenue := fmt.Sprintf("arraySum(x -> JSONExtractFloat(x, %s) * %s, %s)", price, pieces, items)
	itemsCost := fmt.Sprintf("arraySum(x -> JSONExtractFloat(x, %s) * %s, %s)", cost, pieces, items)
	hasCost := fmt.Sprintf("arrayExists(x -> JSONHas(x, %s), %s)", cost, items)
	revenue := firstNumber(c.Revenue, itemsRevenue)
	margin := firstNumber(c.Margin, chooseNumber("revenue - ", c.Cost, "if("+hasCost+", revenue - "+itemsCost+", nan)"))
	discounted := fmt.Sprintf("(%s > 0 OR %s != '')", firstNumber(c.Discount, "0."), firstText(c.Coupon))
	id := "coalesce(nullIf(" + firstText(c.OrderID) + ", ''), nullIf(" + firstNumberText(c.OrderID) + ", ''), concat('message ', e.message_id))"
	list := "CAST([], 'Array(Tuple(String, Float64))')"
	if l.Items {
		list = fmt.Sprintf("arrayMap(x -> (JSONExtractString(x, %s), %s), %s)", Path(c.Category), pieces, items)
	}
	return fmt.Sprintf(`SELECT person_id, o.1 AS at, o.2 AS revenue, o.3 AS margin, o.4 AS discounted, o.5 AS channel, o.6 AS referrer, o.7 AS items FROM (
  SELECT person_id, order_id, argMin((at, revenue, margin, discounted, channel, referrer, items), (received_at, message_id)) AS o FROM (
    SELECT %s AS person_id, %s AS order_id, toUnixTimestamp64Milli(e.timestamp) AS at, %s AS revenue, %s AS margin,
      toUInt8(%s) AS discounted, %s AS channel, %s AS referrer, %s AS items, e.received_at AS received_at, e.message_id AS message_id
    FROM %s
    WHERE e.type = 'track' AND e.event IN (%s) AND e.timestamp < %s
  ) GROUP BY person_id, order_id
)`, Person, id, revenue, margin, discounted, firstText(c.Channel), firstText(c.Referrer), list, Source, List(c.Orders), Moment(l.Until))
}

// Refunds selects the money that each person got back: person_id and refunded.
func (l Log) Refunds() string {
	c := &l.Commerce
	if len(c.Refunds) == 0 {
		return "SELECT '' AS person_id, 0. AS refunded WHERE 0"
	}
	return fmt.Sprintf("SELECT %s AS person_id, sumKahan(abs(%s)) AS refunded FROM %s WHERE e.type = 'track' AND e.event IN (%s) AND e.timestamp < %s GROUP BY person_id",
		Person, firstNumber(c.Revenue, "0."), Source, List(c.Refunds), Moment(l.Until))
}

// Passive lists the events that are no activity of the person.
func (l Log) Passive() []string {
	names := append([]string(nil), l.Commerce.Surveys...)
	for _, m := range l.Commerce.Messages {
		if m.Kind == "sent" {
			names = append(names, m.Event)
		}
	}
	return names
}

// activity selects one row per person with what needs no properties.
func (l Log) activity() string {
	c := &l.Commerce
	in := func(names []string) string {
		if len(names) == 0 {
			return "0"
		}
		return "e.event IN (" + List(names) + ")"
	}
	active := "e.type IN ('track', 'page', 'screen')"
	if passive := l.Passive(); len(passive) > 0 {
		active += " AND e.event NOT IN (" + List(passive) + ")"
	}
	return fmt.Sprintf(`SELECT person_id, min(at) AS first_seen, maxIf(at, active) AS last_seen, max(known) AS registered, countIf(active) AS events,
    arraySort(groupArrayIf(intDiv(at, 1000), active)) AS times,
    if(events = 0, 0, 1 + arrayCount(gap -> gap >= %d, arrayDifference(times))) AS sessions,
    countIf(view) AS views, maxIf(at, view) AS last_view, countIf(cart) AS carts, maxIf(at, cart) AS last_cart,
    countIf(checkout) AS checkouts, maxIf(at, checkout) AS last_checkout
  FROM (
    SELECT %s AS person_id, toUnixTimestamp64Milli(e.timestamp) AS at, %s AS active, (e.user_id != '' OR %s) AS known, %s AS view, %s AS cart, %s AS checkout
    FROM %s WHERE e.source != '%s' AND e.timestamp < %s
  ) GROUP BY person_id`,
		sessionGap, Person, active, in(c.SignUps), in(c.Views), in(c.Carts), in(c.Checkouts), Source, NoteSource, Moment(l.Until))
}

// Facts selects one row per person: person_id, the base facts in their order, and
// firstSeenAt, lastSeenAt, firstOrderAt and lastOrderAt in Unix milliseconds, 0
// when never. Money is added up without losing digits and rounded to a millionth,
// so that the same orders give the same spend in whatever order they are read. It
// reads the log once for what people did and once more for their
// orders and refunds, which the order of the table makes cheap.
func (l Log) Facts() string {
	days := func(at string) string {
		return fmt.Sprintf("if(%s = 0, nan, toFloat64(intDiv(%d - %s, 86400000)))", at, l.Until.UnixMilli(), at)
	}
	open := func(at string) string { return fmt.Sprintf("toFloat64(%s > o.last_order)", at) }
	expressions := map[Fact]string{
		Registered: "toFloat64(a.registered)", Events: "toFloat64(a.events)", Sessions: "toFloat64(a.sessions)",
		Views: "toFloat64(a.views)", Carts: "toFloat64(a.carts)", Checkouts: "toFloat64(a.checkouts)",
		Orders: "toFloat64(o.orders)", Spend: "if(o.orders = 0, 0., round(o.revenue - r.refunded, 6))", Margin: "round(o.margin, 6)",
		DiscountShare: "if(o.orders = 0, nan, o.discounted / o.orders)", PeakShare: "if(o.orders = 0, nan, o.peak / o.orders)",
		OrderGapDays: "if(o.orders < 2, nan, (o.last_order - o.first_order) / 86400000. / (o.orders - 1))",
		OpenView:     open("a.last_view"), OpenCart: open("a.last_cart"), OpenCheckout: open("a.last_checkout"),
		DaysSinceFirstSeen: days("a.first_seen"), DaysSinceLastSeen: days("a.last_seen"),
		DaysSinceFirstOrder: days("o.first_order"), DaysSinceLastOrder: days("o.last_order"),
		DaysSinceLastView: days("a.last_view"), DaysSinceLastCart: days("a.last_cart"), DaysSinceLastCheckout: days("a.last_checkout"),
	}
	columns := []string{"a.person_id AS person_id"}
	for _, f := range BaseFacts() {
		columns = append(columns, expressions[f]+" AS "+string(f))
	}
	columns = append(columns, "a.first_seen AS firstSeenAt", "a.last_seen AS lastSeenAt", "o.first_order AS firstOrderAt", "o.last_order AS lastOrderAt")
	return fmt.Sprintf(`SELECT %s
FROM (
  %s
) AS a
LEFT JOIN (
  SELECT person_id, count() AS orders, sumKahan(revenue) AS revenue, sumKahanIf(margin, NOT isNaN(margin)) AS margin, sum(discounted) AS discounted,
    min(at) AS first_order, max(at) AS last_order,
    arrayMax(mapValues(sumMap(map(toQuarter(fromUnixTimestamp64Milli(at, 'UTC')), toUInt64(1))))) AS peak
  FROM (%s) GROUP BY person_id
) AS o ON a.person_id = o.person_id
LEFT JOIN (%s) AS r ON a.person_id = r.person_id`, strings.Join(columns, ",\n  "), l.activity(), l.Orders(), l.Refunds())
}

// Property is the textual property of event e under the first of the names that
// is there, else empty.
func Property(names []string) string { return firstText(names) }

// Path writes a dotted path as arguments of ClickHouse's JSON functions.
func Path(dotted string) string {
	parts := strings.Split(dotted, ".")
	for i := range parts {
		parts[i] = Literal(parts[i])
	}
	return strings.Join(parts, ", ")
}

// firstNumber is the first numeric property that is there, else the fallback.
func firstNumber(names []string, fallback string) string { return chooseNumber("", names, fallback) }

// chooseNumber is firstNumber with something written before the property.
func chooseNumber(before string, names []string, fallback string) string {
	if len(names) == 0 {
		return fallback
	}
	var cases []string
	for _, name := range names {
		cases = append(cases, fmt.Sprintf("mapContains(e.numbers, %s), %se.numbers[%s]", Literal(name), before, Literal(name)))
	}
	return "multiIf(" + strings.Join(cases, ", ") + ", " + fallback + ")"
}

// firstText is the first textual property that is not empty, else empty.
func firstText(names []string) string {
	if len(names) == 0 {
		return "''"
	}
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("nullIf(JSONExtractString(e.properties, %s), '')", Path(name))
	}
	return "coalesce(" + strings.Join(parts, ", ") + ", '')"
}

// firstNumberText is the first numeric property as text, else empty.
func firstNumberText(names []string) string {
	cases := []string{}
	for _, name := range names {
		cases = append(cases, fmt.Sprintf("mapContains(e.numbers, %s), toString(e.numbers[%s])", Literal(name), Literal(name)))
	}
	if len(cases) == 0 {
		return "''"
	}
	return "multiIf(" + strings.Join(cases, ", ") + ", '')"
}

// Moment is a time as ClickHouse reads it, to the millisecond.
func Moment(t time.Time) string {
	return fmt.Sprintf("fromUnixTimestamp64Milli(%d, 'UTC')", t.UnixMilli())
}

// List writes texts as a list of literals.
func List(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = Literal(name)
	}
	return strings.Join(quoted, ", ")
}

// Literal quotes a text for ClickHouse. Names come from definitions, so every
// byte that could end the literal is escaped.
func Literal(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('\'')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, "\\x%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}
