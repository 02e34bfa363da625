package segments

import (
	"encoding/json"

	"pgregory.net/rapid"
)

// oneOf draws an element of a list.
func oneOf[T any](t *rapid.T, what string, list ...T) T { return rapid.SampledFrom(list).Draw(t, what) }

type obj = map[string]any

func condition(t *rapid.T, o obj, dates, texts bool) obj {
	ops := []string{"exists", "missing", "eq", "ne", "in", "notIn", "lt", "lte", "gt", "gte", "between", "contains", "startsWith", "endsWith"}
	if dates {
		ops = append(ops, "before", "after", "withinLast", "olderThan", "withinNext", "anniversaryWithin")
	}
	if texts {
		ops = []string{"exists", "missing", "eq", "ne", "in", "notIn", "contains", "startsWith", "endsWith"}
	}
	value := func() any {
		if texts {
			return rapid.SampledFrom(textPool).Draw(t, "text")
		}
		return scalar(t)
	}
	name := oneOf(t, "op", ops...)
	o["op"] = name
	if rapid.IntRange(0, 3).Draw(t, "fold") == 0 {
		o["ignoreCase"] = true
	}
	switch name {
	case "eq", "ne":
		o["value"] = value()
	case "in", "notIn":
		list := []any{}
		for range rapid.IntRange(1, 10).Draw(t, "values") {
			list = append(list, value())
		}
		o["value"] = list
	case "lt", "lte", "gt", "gte":
		o["value"] = oneOf(t, "figure", figures...)
	case "between":
		a, b := oneOf(t, "figure", figures...), oneOf(t, "figure", figures...)
		o["value"] = []any{min(a, b), max(a, b)}
	case "contains":
		if o["value"] = value(); o["value"] == "" {
			o["value"] = "н"
		}
	case "startsWith", "endsWith":
		o["value"] = oneOf(t, "part", "М", "м", "an", "A", "a", "у", "\t", "ß", "i")
	case "before", "after":
		o["value"] = oneOf(t, "instant", instants...)
	case "withinLast", "olderThan", "withinNext":
		o["value"] = oneOf(t, "span", spans...)
	case "anniversaryWithin":
		o["value"] = oneOf(t, "span", "1d", "2d", "7d", "366d")
	}
	return o
}

func instantCondition(t *rapid.T, o obj) obj {
	o["op"] = oneOf(t, "op", "before", "after", "withinLast", "olderThan")
	if o["op"] == "before" || o["op"] == "after" {
		o["value"] = oneOf(t, "instant", instants...)
	} else {
		o["value"] = oneOf(t, "span", spans...)
	}
	return o
}

func numberCondition(t *rapid.T, o obj) obj {
	o["op"] = oneOf(t, "op", "eq", "ne", "lt", "lte", "gt", "gte", "between")
	o["value"] = oneOf(t, "figure", figures...)
	if o["op"] == "between" {
		a, b := oneOf(t, "figure", figures...), oneOf(t, "figure", figures...)
		o["value"] = []any{min(a, b), max(a, b)}
	}
	return o
}

func occurrence(t *rapid.T) obj {
	o := obj{"event": rapid.SampledFrom(events).Draw(t, "event")}
	var where []any
	for range rapid.IntRange(0, 2).Draw(t, "filters") {
		path := oneOf(t, "path", "revenue", "shipping.cost", "shipping.city", "products[].sku", "products[].price", "products[]", "tags", "tags[]", "gone.at", "products")
		where = append(where, condition(t, obj{"property": path}, false, false))
	}
	if where != nil {
		o["where"] = where
	}
	return o
}

func windowed(t *rapid.T, o obj) obj {
	switch rapid.IntRange(0, 3).Draw(t, "window") {
	case 0:
		o["window"] = obj{"last": oneOf(t, "span", spans...)}
	case 1:
		o["window"] = obj{"from": "2026-02-20"}
	case 2:
		o["window"] = obj{"from": "2026-02-20", "to": oneOf(t, "instant", "2026-02-27", "2026-02-27T12:30:15.250Z", "2030-01-01")}
	}
	return o
}

func rule(t *rapid.T, depth int, references bool) obj {
	n := rapid.IntRange(0, 12).Draw(t, "leaf")
	if depth > 0 && n < 4 {
		var list []any
		for range rapid.IntRange(1, 3).Draw(t, "members") {
			list = append(list, rule(t, depth-1, references))
		}
		switch n {
		case 0, 1:
			return obj{"all": list}
		case 2:
			return obj{"any": list}
		}
		return obj{"not": list[0]}
	}
	switch n {
	case 4, 5:
		return condition(t, obj{oneOf(t, "what", "trait", "attribute"): rapid.SampledFrom(names).Draw(t, "name")}, true, false)
	case 6:
		if rapid.Bool().Draw(t, "count") {
			return numberCondition(t, obj{"profile": "eventCount"})
		}
		return instantCondition(t, obj{"profile": oneOf(t, "field", "createdAt", "lastSeenAt")})
	case 7:
		return condition(t, obj{"identifier": oneOf(t, "namespace", "email", "phone", "x")}, false, true)
	case 8:
		c := obj{"purpose": oneOf(t, "purpose", "marketing", "x")}
		if rapid.Bool().Draw(t, "channelled") {
			c["channel"] = oneOf(t, "channel", channels...)
		}
		if rapid.Bool().Draw(t, "denied") {
			c["status"] = oneOf(t, "status", "denied", "unknown")
		}
		return obj{"consent": c}
	case 9:
		if references {
			return obj{"segment": oneOf(t, "segment", segmentsK...)}
		}
	case 10:
		o := windowed(t, obj{})
		var steps []any
		for range rapid.IntRange(2, 4).Draw(t, "steps") {
			steps = append(steps, occurrence(t))
		}
		o["sequence"] = steps
		if rapid.Bool().Draw(t, "within") {
			o["within"] = oneOf(t, "span", spans...)
		}
		return o
	}
	o := windowed(t, occurrence(t))
	switch rapid.IntRange(0, 6).Draw(t, "measure") {
	case 0:
		o["did"] = rapid.Bool().Draw(t, "did")
	case 1:
		o["times"] = oneOf(t, "times", obj{"atLeast": 2.0}, obj{"atMost": 1.0}, obj{"exactly": 2.0}, obj{"exactly": 0.0}, obj{"atLeast": 1.0, "atMost": 2.0}, obj{"atLeast": 0.0, "atMost": 2.0})
	case 2, 3:
		o["aggregate"] = numberCondition(t, obj{"function": oneOf(t, "function", "sum", "average", "min", "max"), "property": oneOf(t, "path", "revenue", "shipping.cost")})
	case 4:
		o["first"] = instantCondition(t, obj{})
	case 5:
		o["last"] = instantCondition(t, obj{})
	}
	return o
}

func parse(t rapid.TB, o obj) *Rule {
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse("rule", raw)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return r
}
