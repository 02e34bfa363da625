package neighbours

import (
	"fmt"
	"strings"
)

// Query is item-item likeness as a query of ClickHouse, with entries of 1.
type Query struct {
	// Source is a query that gives the columns unit (a person, or a basket for what is
	// bought together), item and at, one row for each event. It is put in as it is.
	Source string
	// Settings as of Train: measure (cosine or lift), shrinkage, neighbours, together,
	// and the Latest of the weighting, which bounds the items of a unit. Nothing else
	// of the weighting is used.
	Settings
}

// SQL writes the query, with columns item, other, together, value, ordered by item and
// then by value, the largest first. Ties are by the other's id.
func (q Query) SQL() (string, error) {
	if err := q.Validate(); err != nil {
		return "", fmt.Errorf("settings of item-item: %w", err)
	}
	if strings.TrimSpace(q.Source) == "" {
		return "", fmt.Errorf("item-item needs a source of events")
	}
	s := q.WithDefaults()
	var value string
	switch s.Measure {
	case Cosine:
		value = fmt.Sprintf("together / (sqrt(toFloat64(a.n) * b.n) + %v)", s.Shrinkage)
	case Lift:
		value = fmt.Sprintf("log((together + %[1]v) / (toFloat64(a.n) * b.n / (SELECT count() FROM units) + %[1]v))", s.Shrinkage)
	default:
		return "", fmt.Errorf("measure %s is not one of ClickHouse's: train it from the log", s.Measure)
	}
	// Each unit's items once, the latest of them; pairs are made within the unit, so
	// that the quadratic part is bounded by the square of Latest.
	return fmt.Sprintf(`WITH
units AS (
	SELECT arrayMap(x -> x.2, arraySlice(arrayReverseSort(groupArray((last, item))), 1, %[2]d)) AS items
	FROM (SELECT unit, item, max(at) AS last FROM (%[1]s) GROUP BY unit, item)
	GROUP BY unit
),
counts AS (SELECT arrayJoin(items) AS item, count() AS n FROM units GROUP BY item),
pairs AS (
	SELECT p.1 AS item, p.2 AS other, count() AS together
	FROM (SELECT arrayJoin(arrayFlatten(arrayMap(x -> arrayMap(y -> (x, y), arrayFilter(z -> z != x, items)), items))) AS p FROM units WHERE length(items) > 1)
	GROUP BY item, other
	HAVING together >= %[3]d
)
SELECT pairs.item AS item, pairs.other AS other, pairs.together AS together, %[4]s AS value
FROM pairs
JOIN counts AS a ON a.item = pairs.item
JOIN counts AS b ON b.item = pairs.other
WHERE value > 0
ORDER BY item, value DESC, other
LIMIT %[5]d BY item`, q.Source, s.Weighting.Latest, s.Together, value, s.Neighbours), nil
}
