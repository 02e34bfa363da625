package traits

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Type is the type of a trait's values.
type Type string

// The types of traits. A date is a text in ISO 8601: 2026-03-01, or with a time
// and a zone.
const (
	Text    Type = "text"
	Number  Type = "number"
	Boolean Type = "boolean"
	Date    Type = "date"
	List    Type = "list"
	Object  Type = "object"
)

// TypeOf infers the type of a value: a text that is an ISO date counts as a
// date. It is "" for nil.
func TypeOf(v any) Type {
	switch v := v.(type) {
	case string:
		if isDate(v) {
			return Date
		}
		return Text
	case float64:
		return Number
	case bool:
		return Boolean
	case []any:
		return List
	case map[string]any:
		return Object
	}
	return ""
}

// coerce brings a value to a type where nothing is lost by it: the text that
// stands for the value is the same before and after.
func coerce(v any, to Type) (any, bool) {
	switch to {
	case "":
		return v, true
	case Text:
		switch v := v.(type) {
		case string:
			return v, true
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64), true
		case bool:
			return strconv.FormatBool(v), true
		}
	case Number:
		switch n := v.(type) {
		case float64:
			return n, true
		case string:
			f, err := strconv.ParseFloat(n, 64)
			// "042" is an article number, "1e3" somebody's name: neither comes back.
			if err == nil && strconv.FormatFloat(f, 'f', -1, 64) == n && n != "NaN" && !strings.HasSuffix(n, "Inf") {
				return f, true
			}
		}
	case Boolean:
		switch b := v.(type) {
		case bool:
			return b, true
		case string:
			if b == "true" || b == "false" {
				return b == "true", true
			}
		}
	case Date:
		if s, ok := v.(string); ok && isDate(s) {
			return s, true
		}
	case List:
		if _, ok := v.([]any); ok {
			return v, true
		}
	case Object:
		if _, ok := v.(map[string]any); ok {
			return v, true
		}
	}
	return nil, false
}

var dateLayouts = [...]string{
	time.DateOnly, time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
	"2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
}

// ParseDate reads a trait of the type date. Without a zone it is UTC.
func ParseDate(s string) (time.Time, bool) {
	// A quick look keeps ordinary texts from being tried against every layout.
	if len(s) < len(time.DateOnly) || len(s) > 40 || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func isDate(s string) bool { _, ok := ParseDate(s); return ok }

// completeness is how much a value says: characters of a text, filled members
// of a list or an object, 1 for a number, a boolean or a date, 0 for nothing.
func completeness(v any) int {
	switch v := v.(type) {
	case nil:
		return 0
	case string:
		return utf8.RuneCountInString(strings.TrimSpace(v))
	case []any:
		n := 0
		for _, e := range v {
			n += min(1, completeness(e))
		}
		return n
	case map[string]any:
		n := 0
		for _, e := range v {
			if _, nested := e.(map[string]any); nested {
				n += completeness(e)
				continue
			}
			n += min(1, completeness(e))
		}
		return n
	}
	return 1
}

// equal compares two values.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any, []any:
		return reflect.DeepEqual(a, b)
	case string:
		s, ok := b.(string)
		return ok && s == a
	case float64:
		f, ok := b.(float64)
		return ok && f == a
	case bool:
		t, ok := b.(bool)
		return ok && t == a
	}
	return a == nil && b == nil
}

// among says whether a value is one of the allowed ones; of a list each member
// must be.
func among(v any, allowed []any) bool {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			if !slices.ContainsFunc(allowed, func(a any) bool { return equal(a, e) }) {
				return false
			}
		}
		return true
	}
	return slices.ContainsFunc(allowed, func(a any) bool { return equal(a, v) })
}
