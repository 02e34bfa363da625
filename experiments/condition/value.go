package condition

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// The conversions of JavaScript, as far as values of JSON need them.

// numeric is a number of any of Go's types.
func numeric(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float32:
		return float64(v), true
	case int32:
		return float64(v), true
	case uint64:
		return float64(v), true
	case json.Number:
		n, err := v.Float64()
		return n, err == nil
	}
	return 0, false
}

// Text is a value as a text, as String(v) of JavaScript makes it. It is also what of a
// value is hashed.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	case []any:
		var b strings.Builder
		for i, element := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if element != nil {
				b.WriteString(Text(element))
			}
		}
		return b.String()
	case []string:
		return strings.Join(v, ",")
	}
	if n, ok := numeric(v); ok {
		return FormatNumber(n)
	}
	return "[object Object]"
}

// FormatNumber writes a number as JavaScript does, which is also how it becomes part
// of what is hashed: 5, 0.1, 1e+21.
func FormatNumber(n float64) string {
	switch size := math.Abs(n); {
	case n == 0:
		return "0"
	case math.IsNaN(n):
		return "NaN"
	case math.IsInf(n, 0):
		return strings.Replace(strconv.FormatFloat(n, 'f', -1, 64), "Inf", "Infinity", 1)
	case size >= 1e-6 && size < 1e21:
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(n, 'e', -1, 64), "e")
	return digits + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
}

// number is Number(v), NaN for what is none.
func number(v any) float64 {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		if v {
			return 1
		}
		return 0
	case string:
		return parseNumber(v)
	case []any, []string:
		return parseNumber(Text(v))
	}
	if n, ok := numeric(v); ok {
		return n
	}
	return math.NaN()
}

// parseNumber is Number(s).
func parseNumber(s string) float64 {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0
	}
	if len(s) > 2 && s[0] == '0' {
		if base := map[byte]int{'x': 16, 'o': 8, 'b': 2}[s[1]|0x20]; base != 0 {
			n, err := strconv.ParseUint(s[2:], base, 64)
			if err != nil {
				return math.NaN()
			}
			return float64(n)
		}
	}
	switch strings.TrimLeft(s, "+-") {
	case "Infinity":
		if s[0] == '-' {
			return math.Inf(-1)
		}
		return math.Inf(1)
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' && c != 'e' && c != 'E' {
			return math.NaN()
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(n, 0) {
		return math.NaN()
	}
	return n
}

// truthy is Boolean(v).
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	}
	if n, ok := numeric(v); ok {
		return n != 0 && !math.IsNaN(n)
	}
	return true
}

// same is a === b, where arrays and objects are the same as nothing else.
func same(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool:
		other, ok := b.(bool)
		return ok && a == other
	case string:
		other, ok := b.(string)
		return ok && a == other
	}
	x, ok := numeric(a)
	if !ok {
		return false
	}
	y, ok := numeric(b)
	return ok && x == y
}

// equal compares arrays and objects by what they hold.
func equal(a, b any) bool {
	switch a := a.(type) {
	case []any:
		if b, ok := b.([]any); ok {
			if len(a) != len(b) {
				return false
			}
			for i := range a {
				if !equal(a[i], b[i]) {
					return false
				}
			}
			return true
		}
		return false
	case []string:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if other, ok := b[i].(string); !ok || other != a[i] {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if other, ok := b[k]; !ok || !equal(v, other) {
				return false
			}
		}
		return true
	}
	return same(a, b)
}

// kind is the name that $type knows a value by.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any, []string:
		return "array"
	}
	if _, ok := numeric(v); ok {
		return "number"
	}
	return "object"
}

// size is the length of an array.
func size(v any) (int, bool) {
	switch v := v.(type) {
	case []any:
		return len(v), true
	case []string:
		return len(v), true
	}
	return 0, false
}

// element is one of an array.
func element(v any, i int) any {
	switch v := v.(type) {
	case []any:
		return v[i]
	case []string:
		return v[i]
	}
	return nil
}
