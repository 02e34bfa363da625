package attributes

import (
	"fmt"
	"strings"

	"quintet/profiles/lifecycle"
)

// How far back the built-in attributes look, and how quickly affinity fades.
const (
	halfLifeDays  = 30
	affinityDays  = 365 // a touch weighs 1/4600 by then
	habitDays     = 180 // devices and messages
	topCategories = 5
)

// Weights of what a person did with a category.
const (
	viewWeight  = 1
	cartWeight  = 3
	orderWeight = 5
)

const dayMillis = 86_400_000

// extra is a query that gives person_id and attributes, a JSON object. people
// is the run whose facts it may read.
type extra struct {
	name string
	sql  func(l lifecycle.Log, run uint64) string
}

// extras are the built-in attributes that facts do not hold.
var extras = []extra{
	{"categories", categoriesSQL}, {"seasonality", seasonalitySQL}, {"devices", devicesSQL}, {"messages", messagesSQL}, {"referrals", referralsSQL},
}

// since bounds event e from below.
func since(l lifecycle.Log, days int) string {
	return fmt.Sprintf("e.timestamp >= %s AND e.timestamp < %s", lifecycle.Moment(l.Until.AddDate(0, 0, -days)), lifecycle.Moment(l.Until))
}

// shares is an aggregation of (name, weight) as a map of shares, largest first.
const shares = "mapFromArrays(arrayMap(x -> x.1, %s), arrayMap(x -> round(x.2 / total, 4), %s))"

func categoriesSQL(l lifecycle.Log, _ uint64) string {
	c := &l.Commerce
	l.Items = true
	category := lifecycle.Property([]string{c.Category})
	touches := []string{fmt.Sprintf("SELECT person_id, i.1 AS category, %d * i.2 AS weight, at FROM (%s) ARRAY JOIN items AS i WHERE at >= %d",
		orderWeight, l.Orders(), l.Until.AddDate(0, 0, -affinityDays).UnixMilli())}
	for _, t := range []struct {
		events []string
		weight int
	}{{c.Views, viewWeight}, {c.Carts, cartWeight}} {
		if len(t.events) > 0 {
			touches = append(touches, fmt.Sprintf("SELECT %s AS person_id, %s AS category, toFloat64(%d) AS weight, toUnixTimestamp64Milli(e.timestamp) AS at FROM %s WHERE e.type = 'track' AND e.event IN (%s) AND %s",
				lifecycle.Person, category, t.weight, lifecycle.Source, lifecycle.List(t.events), since(l, affinityDays)))
		}
	}
	return fmt.Sprintf(`SELECT person_id, concat('{"topCategory":', toJSONString(list[1].1), ',"categoryAffinity":', toJSONString(`+shares+`), '}') AS attributes FROM (
  SELECT person_id, arraySlice(arraySort(x -> (-x.2, x.1), groupArray((category, weight))), 1, %d) AS list, sum(weight) AS total FROM (
    SELECT person_id, category, sum(weight * exp2((at - %d) / %d.)) AS weight FROM (
      %s
    ) WHERE category != '' GROUP BY person_id, category
  ) WHERE weight > 0 GROUP BY person_id
)`, "list", "list", topCategories, l.Until.UnixMilli(), halfLifeDays*dayMillis, strings.Join(touches, "\n      UNION ALL "))
}

func seasonalitySQL(l lifecycle.Log, _ uint64) string {
	part := func(name string) string {
		return fmt.Sprintf("toJSONString(mapApply((k, v) -> (toString(k), round(v / n, 4)), %s))", name)
	}
	peak := func(name string) string {
		return fmt.Sprintf("toString(arraySort(x -> (-x.2, x.1), CAST(%s, 'Array(Tuple(UInt8, UInt64))'))[1].1)", name)
	}
	return fmt.Sprintf(`SELECT person_id, concat('{"orderMonths":', %s, ',"orderQuarters":', %s, ',"peakMonth":', %s, ',"peakQuarter":', %s,
  if(channel = '', '', concat(',"orderChannel":', toJSONString(channel))), '}') AS attributes FROM (
  SELECT person_id, count() AS n, sumMap(map(toMonth(day), toUInt64(1))) AS months, sumMap(map(toQuarter(day), toUInt64(1))) AS quarters,
    arraySort(x -> (-x.2, x.1), arrayZip(mapKeys(sumMap(map(channel, toUInt64(channel != ''))) AS channels), mapValues(channels)))[1].1 AS channel
  FROM (SELECT person_id, channel, fromUnixTimestamp64Milli(at, 'UTC') AS day FROM (%s)) GROUP BY person_id
)`, part("months"), part("quarters"), peak("months"), peak("quarters"), l.Orders())
}

func devicesSQL(l lifecycle.Log, _ uint64) string {
	device := `multiIf(
      JSONExtractString(e.context, 'device', 'type') != '', lower(JSONExtractString(e.context, 'device', 'type')),
      JSONExtractString(e.context, 'userAgent') AS agent = '', '',
      match(agent, '(?i)ipad|tablet'), 'tablet', match(agent, '(?i)mobi|iphone|android'), 'mobile', 'desktop')`
	return fmt.Sprintf(`SELECT person_id, concat('{"preferredDevice":', toJSONString(list[1].1), ',"deviceShare":', toJSONString(`+shares+`), '}') AS attributes FROM (
  SELECT person_id, arraySlice(arraySort(x -> (-x.2, x.1), groupArray((device, n))), 1, 5) AS list, sum(n) AS total FROM (
    SELECT %s AS person_id, %s AS device, count() AS n FROM %s
    WHERE e.context != '{}' AND e.type IN ('track', 'page', 'screen') AND e.source != '%s' AND %s AND e.event NOT IN (%s) GROUP BY person_id, device
  ) WHERE device != '' GROUP BY person_id
)`, "list", "list", lifecycle.Person, device, lifecycle.Source, lifecycle.NoteSource, since(l, habitDays), lifecycle.List(append(l.Passive(), "")))
}

func messagesSQL(l lifecycle.Log, _ uint64) string {
	c := &l.Commerce
	if len(c.Messages) == 0 {
		return ""
	}
	var events, channels, kinds []string
	for _, m := range c.Messages {
		events, channels, kinds = append(events, m.Event), append(channels, m.Channel), append(kinds, m.Kind)
	}
	counts := func(kind string) string {
		return fmt.Sprintf("toJSONString(mapFilter((k, v) -> v > 0, sumMap(map(channel, toUInt64(if(kind = '%s', n, 0))))))", kind)
	}
	return fmt.Sprintf(`SELECT person_id, concat('{"messagesSent":', %s, ',"messagesOpened":', %s, ',"messagesClicked":', %s,
  if(arraySort(x -> (-x.2, x.1), groupArray((channel, engaged)))[1] AS best != ('', 0) AND best.2 > 0, concat(',"preferredChannel":', toJSONString(best.1)), ''), '}') AS attributes
FROM (
  SELECT person_id, channel, kind, n, sumIf(n, kind != 'sent') OVER (PARTITION BY person_id, channel) AS engaged FROM (
    SELECT %s AS person_id, coalesce(nullIf(%s, ''), nullIf(transform(toString(e.event), [%s], [%s], ''), ''), 'unknown') AS channel,
      transform(toString(e.event), [%s], [%s], '') AS kind, count() AS n
    FROM %s WHERE e.type = 'track' AND e.event IN (%s) AND %s GROUP BY person_id, channel, kind
  )
) GROUP BY person_id`, counts("sent"), counts("opened"), counts("clicked"),
		lifecycle.Person, lifecycle.Property(c.Channel), lifecycle.List(events), lifecycle.List(channels), lifecycle.List(events), lifecycle.List(kinds),
		lifecycle.Source, lifecycle.List(events), since(l, habitDays))
}

func referralsSQL(l lifecycle.Log, run uint64) string {
	c := &l.Commerce
	if len(c.Referrer) == 0 {
		return ""
	}
	referrer := lifecycle.Property(c.Referrer)
	brought := fmt.Sprintf(`SELECT %s AS person_id, argMin(%s, (e.timestamp, e.message_id)) AS referrer FROM %s
      WHERE e.type = 'track' AND e.event IN (%s) AND e.timestamp < %s AND %s != '' GROUP BY person_id`,
		lifecycle.Person, referrer, lifecycle.Source, lifecycle.List(append(append([]string(nil), c.SignUps...), c.Orders...)), lifecycle.Moment(l.Until), referrer)
	return fmt.Sprintf(`SELECT w.person AS person_id, concat('{"referredCustomers":', toString(count()), ',"referredSpend":', toString(sum(f.spend)), '}') AS attributes
FROM (%s) AS b
INNER JOIN (SELECT e.user_id AS user_id, argMax(%s, (e.timestamp, e.message_id)) AS person FROM %s
  WHERE e.user_id IN (SELECT referrer FROM (%s)) AND e.timestamp < %s GROUP BY user_id) AS w ON b.referrer = w.user_id
INNER JOIN (SELECT person_id, spend FROM person_facts WHERE run = %d AND orders > 0) AS f ON b.person_id = f.person_id
WHERE w.person != b.person_id
GROUP BY w.person`, brought, lifecycle.Person, lifecycle.Source, brought, lifecycle.Moment(l.Until), run)
}
