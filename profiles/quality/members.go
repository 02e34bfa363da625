package quality

import (
	"encoding/json"
	"strings"
)

// members shows the members of a JSON object that the tracking API has checked, in
// order and with values as text; of text that is no such object it shows the
// members before the fault.
func members(raw string, visit func(name, value string)) {
	i := space(raw, 0)
	if i >= len(raw) || raw[i] != '{' {
		return
	}
	i = space(raw, i+1)
	for i < len(raw) && raw[i] == '"' {
		end := quotedEnd(raw, i)
		if end < 0 {
			return
		}
		name := raw[i+1 : end-1]
		if i = space(raw, end); i >= len(raw) || raw[i] != ':' {
			return
		}
		i = space(raw, i+1)
		if end = valueEnd(raw, i); end <= i {
			return
		}
		visit(unescaped(name), raw[i:end])
		if i = space(raw, end); i >= len(raw) || raw[i] != ',' {
			return
		}
		i = space(raw, i+1)
	}
}

func space(raw string, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
		i++
	}
	return i
}

// quotedEnd is behind the text that begins at i, -1 when it does not end.
func quotedEnd(raw string, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// valueEnd is behind the value that begins at i, at most i when there is none.
func valueEnd(raw string, i int) int {
	depth := 0
	for j := i; j < len(raw); j++ {
		switch raw[j] {
		case '"':
			end := quotedEnd(raw, j)
			if end < 0 {
				return -1
			}
			if depth == 0 {
				return end
			}
			j = end - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return j + 1
			}
			if depth < 0 {
				return j
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return j
			}
		}
	}
	if depth != 0 {
		return -1
	}
	return len(raw)
}

// unescaped is the text between quotes.
func unescaped(inner string) string {
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var text string
	if json.Unmarshal([]byte(`"`+inner+`"`), &text) != nil {
		return inner
	}
	return text
}
