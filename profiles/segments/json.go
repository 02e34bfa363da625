package segments

import (
	"encoding/json"
	"iter"
	"strconv"
	"strings"
)

// The properties of an event arrive as JSON that the tracking API has checked
// already. Only the values that a rule names are taken out of it; text that is
// no JSON after all yields nothing.

// lookup finds the value at a path, as text; "" when there is none. Of members
// with the same name the first counts.
func lookup(raw string, path []string) string {
	raw = strings.TrimLeft(raw, " \t\r\n")
	for _, name := range path {
		found := ""
		for member, value := range members(raw) {
			if member == name {
				found = value
				break
			}
		}
		if found == "" {
			return ""
		}
		raw = found
	}
	return raw
}

// members are the names and values of an object, none of anything else.
func members(raw string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if raw == "" || raw[0] != '{' {
			return
		}
		i := space(raw, 1)
		for i < len(raw) && raw[i] == '"' {
			end := skip(raw, i)
			name := raw[i:end]
			i = space(raw, end)
			if i >= len(raw) || raw[i] != ':' {
				return
			}
			i = space(raw, i+1)
			end = skip(raw, i)
			if end <= i || !yield(unquote(name), raw[i:end]) {
				return
			}
			if i = space(raw, end); i >= len(raw) || raw[i] != ',' {
				return
			}
			i = space(raw, i+1)
		}
	}
}

// elements are the values of a list, none of anything else.
func elements(raw string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if raw == "" || raw[0] != '[' {
			return
		}
		i := space(raw, 1)
		for i < len(raw) && raw[i] != ']' {
			end := skip(raw, i)
			if end <= i || !yield(raw[i:end]) {
				return
			}
			if i = space(raw, end); i >= len(raw) || raw[i] != ',' {
				return
			}
			i = space(raw, i+1)
		}
	}
}

func space(raw string, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
		i++
	}
	return i
}

// skip is the end of the value that begins at i.
func skip(raw string, i int) int {
	if i >= len(raw) {
		return i
	}
	switch raw[i] {
	case '"':
		for i++; i < len(raw); i++ {
			switch raw[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return len(raw)
	case '{', '[':
		depth := 0
		for i < len(raw) {
			switch raw[i] {
			case '"':
				i = skip(raw, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return len(raw)
	}
	for i < len(raw) && !strings.ContainsRune(",]} \t\r\n", rune(raw[i])) {
		i++
	}
	return i
}

// unquote reads a string; one without escapes costs nothing.
func unquote(raw string) string {
	if len(raw) < 2 {
		return ""
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return ""
	}
	return s
}

// scalarOf reads a text, a number or a boolean.
func scalarOf(raw string) (v any, ok bool) {
	switch {
	case raw == "" || raw == "null" || raw[0] == '{' || raw[0] == '[':
		return nil, false
	case raw[0] == '"':
		return unquote(raw), true
	case raw == "true":
		return true, true
	case raw == "false":
		return false, true
	}
	f, err := strconv.ParseFloat(raw, 64)
	return f, err == nil
}
