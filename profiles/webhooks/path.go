package webhooks

import (
	"errors"
	"strconv"
	"strings"
)

// maxSteps bounds how deep a path reaches.
const maxSteps = 32

// path leads to a value in a JSON text: names of members, indices of elements.
type path []step

type step struct {
	name  string
	index int
	array bool
}

// parsePath reads "order.lines[0].sku"; a member whose name has dots or brackets
// is written ["a.b"]. A leading "$." is passed over. The empty path is the whole.
func parsePath(text string) (path, error) {
	rest := strings.TrimPrefix(text, "$")
	if rest != text && rest != "" && rest[0] != '.' && rest[0] != '[' {
		rest = text // a name that begins with a dollar sign
	} else {
		rest = strings.TrimPrefix(rest, ".")
	}
	var p path
	for rest != "" {
		if len(p) == maxSteps {
			return nil, errors.New("must not have more than " + strconv.Itoa(maxSteps) + " steps")
		}
		var s step
		if strings.HasPrefix(rest, "[") {
			end := strings.IndexByte(rest, ']')
			if quoted := strings.HasPrefix(rest, `["`); quoted {
				end = strings.Index(rest, `"]`) + 1
			}
			if end <= 1 {
				return nil, errors.New("has a bracket that is not closed")
			}
			inner := rest[1:end]
			rest = rest[end+1:]
			if name, quoted := strings.CutPrefix(inner, `"`); quoted {
				s.name = strings.TrimSuffix(name, `"`)
			} else {
				n, err := strconv.ParseUint(inner, 10, 31)
				if err != nil {
					return nil, errors.New("must have a number or a quoted name in brackets")
				}
				s.index, s.array = int(n), true
			}
		} else {
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, errors.New("must be names with single dots between them, such as order.lines[0].sku")
			}
			s.name, rest = rest[:end], rest[end:]
		}
		p = append(p, s)
		if strings.HasPrefix(rest, ".") {
			if rest = rest[1:]; rest == "" || rest[0] == '[' {
				return nil, errors.New("must be names with single dots between them, such as order.lines[0].sku")
			}
		} else if rest != "" && rest[0] != '[' {
			return nil, errors.New("must have a dot between steps")
		}
	}
	return p, nil
}

// in follows the path; false where it leads nowhere. null is somewhere.
func (p path) in(value any) (any, bool) {
	for _, s := range p {
		switch at := value.(type) {
		case map[string]any:
			v, ok := at[s.name]
			if s.array || !ok {
				return nil, false
			}
			value = v
		case []any:
			index := s.index
			if !s.array { // "lines.0" is understood, too
				n, err := strconv.ParseUint(s.name, 10, 31)
				if err != nil {
					return nil, false
				}
				index = int(n)
			}
			if index >= len(at) {
				return nil, false
			}
			value = at[index]
		default:
			return nil, false
		}
	}
	return value, true
}
