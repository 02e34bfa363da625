package recommend

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// Bounds of the history of serving.
const (
	mostHistoryDays = 92
	mostHistoryRows = 10_000
	historyDeadline = 60 * time.Second
)

// Share is how many of the places of lists for known people were taken up, with the 95 %
// interval of the share. Places of one person go together, so that people are what varies
// (the delta method for a ratio of sums over people).
type Share struct {
	Count int      `json:"count"`
	Share float64  `json:"share"`
	Low   *float64 `json:"low,omitempty" doc:"None of fewer than two people"`
	High  *float64 `json:"high,omitempty"`
}

// ServedDay is what became of the lists of a placement, on a day or in all.
type ServedDay struct {
	Day       string `json:"day,omitempty" doc:"In UTC; none of a total"`
	Placement string `json:"placement"`
	Lists     int    `json:"lists"`
	Personal  int    `json:"personal" doc:"Lists for which something was known of the person"`
	Empty     int    `json:"empty" doc:"Lists without any item"`
	Items     int    `json:"items" doc:"Places that were filled"`
	People    int    `json:"people" doc:"Known people who were given any"`
	Places    int    `json:"places" doc:"Places of lists for known people, of which shares are"`
	Taken     Share  `json:"taken" doc:"Places whose item the person did something with that counts for it, within a day; of several lists with the item the last counts"`
	Bought    Share  `json:"bought" doc:"Places whose item the person bought within a day"`
}

// shareOf is x of n places, with sums over people of x², x·n and n².
func shareOf(x, n, xx, xn, nn, people float64) Share {
	out := Share{Count: int(x)}
	if n == 0 {
		return out
	}
	r := x / n
	out.Share = r
	if people < 2 {
		return out
	}
	variance := math.Max(xx-2*r*xn+r*r*nn, 0) * people / (people - 1) / (n * n)
	half := 1.959963984540054 * math.Sqrt(variance)
	low, high := math.Max(r-half, 0), math.Min(r+half, 1)
	out.Low, out.High = &low, &high
	return out
}

// interactionItems are the items that an event of alias x names.
func interactionItems() string {
	id := func(json, name string) string {
		return "trim(BOTH '\"' FROM JSONExtractRaw(" + json + ", '" + name + "'))"
	}
	either := func(json string) string {
		return "if(" + id(json, "product_id") + " != '', " + id(json, "product_id") + ", " + id(json, "sku") + ")"
	}
	return `arraySlice(arrayDistinct(arrayFilter(i -> i != '', arrayConcat([` + either("x.properties") + `], arrayMap(o -> ` + either("o") + `, JSONExtractArrayRaw(x.properties, 'products'))))), 1, ` + fmt.Sprint(maxNamed) + `)`
}

// history tells what became of lists from one moment to another, by day or in all.
func (s *Service) history(ctx context.Context, from, until time.Time, byDay bool) ([]ServedDay, error) {
	var taken, bought []any
	for _, signal := range s.signals {
		taken = append(taken, signal.Event)
		if signal.Bought {
			bought = append(bought, signal.Event)
		}
	}
	marks := func(list []any) string { return strings.TrimSuffix(strings.Repeat("?,", len(list)), ",") }
	day := "''"
	if byDay {
		day = "toString(toDate(x.at))"
	}
	ctx, cancel := context.WithTimeout(ctx, historyDeadline)
	defer cancel()
	sql := `WITH people AS (SELECT profile_id, argMax(person_id, (valid_from, stamp)) AS person FROM person_map GROUP BY profile_id),
lists AS (
  SELECT if(x.profile_id = '', '', if(p.person = '', x.profile_id, p.person)) AS who, ` + day + ` AS day, x.placement AS placement, x.list_id AS list, toUnixTimestamp64Milli(x.at) AS at, x.items AS items, x.personal AS personal
  FROM recommendation_lists AS x FINAL LEFT JOIN people AS p ON x.profile_id = p.profile_id WHERE x.at >= fromUnixTimestamp64Milli(?) AND x.at < fromUnixTimestamp64Milli(?)
),
places AS (SELECT who, day, placement, list, at, item FROM lists ARRAY JOIN items AS item WHERE who != ''),
acts AS (
  SELECT if(p.person = '', x.profile_id, p.person) AS who, toUnixTimestamp64Milli(x.timestamp) AS at, x.event IN (` + marks(bought) + `) AS bought, ` + interactionItems() + ` AS named
  FROM events AS x FINAL LEFT JOIN people AS p ON x.profile_id = p.profile_id
  WHERE x.type = 'track' AND x.event IN (` + marks(taken) + `) AND x.profile_id != '' AND x.timestamp >= fromUnixTimestamp64Milli(?) AND x.timestamp < fromUnixTimestamp64Milli(?)
),
credited AS (
  SELECT s.day AS day, s.placement AS placement, s.who AS who, s.list AS list, s.item AS item, max(a.bought) AS bought
  FROM (SELECT who, at, bought, item FROM acts ARRAY JOIN named AS item) AS a ASOF INNER JOIN places AS s ON a.who = s.who AND a.item = s.item AND a.at >= s.at
  WHERE a.at < s.at + 86400000 GROUP BY day, placement, who, list, item
),
persons AS (
  SELECT p.day AS day, p.placement AS placement, toFloat64(p.n) AS n, toFloat64(c.x) AS x, toFloat64(c.b) AS b
  FROM (SELECT day, placement, who, count() AS n FROM places GROUP BY day, placement, who) AS p
  LEFT JOIN (SELECT day, placement, who, count() AS x, countIf(bought) AS b FROM credited GROUP BY day, placement, who) AS c ON p.day = c.day AND p.placement = c.placement AND p.who = c.who
)
SELECT t.day, t.placement, t.given, t.personals, t.empties, t.filled, o.owners, o.sn, o.sx, o.sb, o.xx, o.xn, o.nn, o.bb, o.bn
FROM (SELECT day, placement, count() AS given, countIf(personal) AS personals, countIf(empty(items)) AS empties, sum(length(items)) AS filled FROM lists GROUP BY day, placement) AS t
LEFT JOIN (SELECT day, placement, toFloat64(count()) AS owners, sum(n) AS sn, sum(x) AS sx, sum(b) AS sb, sum(x * x) AS xx, sum(x * n) AS xn, sum(n * n) AS nn, sum(b * b) AS bb, sum(b * n) AS bn FROM persons GROUP BY day, placement) AS o
ON t.day = o.day AND t.placement = o.placement
ORDER BY t.day, t.placement LIMIT ` + fmt.Sprint(mostHistoryRows)
	// Times as numbers: the client writes them to the second.
	arguments := append([]any{from.UnixMilli(), until.UnixMilli()}, bought...)
	arguments = append(append(arguments, taken...), from.UnixMilli(), until.Add(24*time.Hour).UnixMilli())
	rows, err := s.db.Read.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, fmt.Errorf("asking what became of lists: %w", err)
	}
	defer rows.Close()
	out := []ServedDay{}
	for rows.Next() {
		var d ServedDay
		var count, personal, empty, items uint64
		var people, n, x, b, xx, xn, nn, bb, bn float64
		if err := rows.Scan(&d.Day, &d.Placement, &count, &personal, &empty, &items, &people, &n, &x, &b, &xx, &xn, &nn, &bb, &bn); err != nil {
			return nil, fmt.Errorf("reading what became of lists: %w", err)
		}
		d.Lists, d.Personal, d.Empty, d.Items, d.People, d.Places = int(count), int(personal), int(empty), int(items), int(people), int(n)
		d.Taken, d.Bought = shareOf(x, n, xx, xn, nn, people), shareOf(b, n, bb, bn, nn, people)
		out = append(out, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading what became of lists: %w", err)
	}
	return out, nil
}

// ServedHistory is what became of lists.
type ServedHistory struct {
	From time.Time   `json:"from"`
	To   time.Time   `json:"to"`
	Rows []ServedDay `json:"rows" nullable:"false" doc:"By day and placement"`
}

func (s *Service) historyRoute(srv *api.Server) {
	if s.lists == nil {
		return
	}
	type input struct {
		From  time.Time `query:"from" doc:"28 days before to unless set"`
		To    time.Time `query:"to" doc:"Now unless set"`
		Total bool      `query:"total" doc:"Whether to add up all days"`
	}
	type output struct{ Body *ServedHistory }
	op := huma.Operation{
		OperationID: "recommendation-history", Method: http.MethodGet, Path: "/v1/recommenders/history", Tags: []string{"Recommendations"},
		Summary:     "What became of the lists that people were given",
		Description: "From the log of lists and of events: how many places of lists were taken up within a day, and bought, with intervals.",
		Errors:      []int{401, 403, 422},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(srv.API, op, func(ctx context.Context, in *input) (*output, error) {
		if in.To.IsZero() {
			in.To = s.now()
		}
		if in.From.IsZero() {
			in.From = in.To.AddDate(0, 0, -28)
		}
		if days := in.To.Sub(in.From).Hours() / 24; !(days > 0 && days <= mostHistoryDays) {
			return nil, problem.Invalid{{Field: "query.from", Rule: fmt.Sprintf("must be before to, by at most %d days", mostHistoryDays), Value: in.From}}
		}
		rows, err := s.history(ctx, in.From, in.To, !in.Total)
		if err != nil {
			return nil, err
		}
		return &output{&ServedHistory{From: in.From.UTC(), To: in.To.UTC(), Rows: rows}}, nil
	})
}
