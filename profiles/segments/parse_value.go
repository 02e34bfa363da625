package segments

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// value reads op, value and ignoreCase of a condition.
func (p *parser) value(path string, o map[string]any, allowed []op) test {
	var t test
	name, ok := o["op"].(string)
	t.op = op(name)
	if !ok || !slices.Contains(allowed, t.op) {
		names := make([]string, len(allowed))
		for i, a := range allowed {
			names[i] = string(a)
		}
		p.bad.Add(path+".op", "must be one of "+strings.Join(names, ", "), o["op"])
		return t
	}
	if v, has := o["ignoreCase"]; has {
		if t.fold, ok = v.(bool); !ok {
			p.bad.Add(path+".ignoreCase", "must be true or false", v)
		}
	}
	v, has := o["value"]
	at := path + ".value"
	switch t.op {
	case opExists, opMissing:
		if has {
			p.bad.Add(at, "must be left out with "+name, v)
		}
	case opEq, opNe:
		t.setLiterals(p.literals(at, []any{v}, t.fold, func(int) string { return at }))
	case opIn, opNotIn:
		list, ok := v.([]any)
		if !ok || len(list) == 0 || len(list) > MaxValues {
			p.bad.Add(at, fmt.Sprintf("must be a list of 1 to %d values", MaxValues), nil)
			break
		}
		t.setLiterals(p.literals(at, list, t.fold, func(i int) string { return fmt.Sprintf("%s[%d]", at, i) }))
	case opLt, opLte, opGt, opGte:
		t.low = p.float(at, v)
	case opBetween:
		list, ok := v.([]any)
		if !ok || len(list) != 2 {
			p.bad.Add(at, "must be a list of two numbers, the lower first", v)
			break
		}
		if t.low, t.high = p.float(at+"[0]", list[0]), p.float(at+"[1]", list[1]); t.low > t.high {
			p.bad.Add(at, "must have the lower number first", v)
		}
	case opContains, opStartsWith, opEndsWith:
		t.literals = p.literals(at, []any{v}, t.fold, func(int) string { return at })
		if len(t.literals) != 1 {
			break
		}
		if l := t.literals[0]; l.kind == kindText && l.text == "" {
			p.bad.Add(at, "must not be empty", v)
		} else if l.kind != kindText && t.op != opContains {
			p.bad.Add(at, "must be text", v)
		}
	case opBefore, opAfter:
		t.at = p.instant(at, v)
	case opAnniversary:
		if t.span = p.span(at, v); t.span%day != 0 || t.span > 366*day {
			p.bad.Add(at, "must be whole days, at most 366d", v)
		}
		p.rule.reads.Timed = true
	default:
		t.span = p.span(at, v)
		p.rule.reads.Timed = true
	}
	return t
}

func (p *parser) literals(path string, values []any, folded bool, at func(i int) string) []literal {
	list := make([]literal, 0, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case string:
			if utf8.RuneCountInString(v) > MaxText {
				p.bad.Add(at(i), fmt.Sprintf("must be at most %d characters", MaxText), v)
			}
			if folded {
				v = fold(v)
			}
			list = append(list, literal{kind: kindText, text: v})
		case float64:
			list = append(list, literal{kind: kindNumber, number: v})
		case bool:
			list = append(list, literal{kind: kindFlag, flag: v})
		default:
			p.bad.Add(at(i), "must be text, a number or true or false", v)
		}
	}
	return list
}

func (p *parser) float(path string, v any) float64 {
	f, ok := v.(float64)
	if !ok {
		p.bad.Add(path, "must be a number", v)
	}
	return f
}

// instant reads a time, in Unix milliseconds.
func (p *parser) instant(path string, v any) int64 {
	s, _ := v.(string)
	if at, ok := ParseDate(s); ok {
		return at
	}
	p.bad.Add(path, "must be a time such as 2026-11-22 or 2026-11-22T18:00:00Z", v)
	return 0
}

var units = map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}

// span reads a duration, in milliseconds.
func (p *parser) span(path string, v any) int64 {
	s, _ := v.(string)
	if len(s) >= 2 && s[0] != '+' {
		n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
		unit := units[s[len(s)-1]]
		if err == nil && unit > 0 && n > 0 && n <= uint64(MaxSpan/unit) {
			return int64(n) * unit.Milliseconds()
		}
	}
	p.bad.Add(path, "must be a whole number with a unit, such as 90m, 24h, 30d or 2w, of at most 3660d", v)
	return day
}

// count reads a whole number from 0 on.
func (p *parser) count(path string, v any) int {
	f, ok := v.(float64)
	if !ok || f < 0 || f > 1e6 || f != math.Trunc(f) {
		p.bad.Add(path, "must be a whole number from 0 to 1000000", v)
		return 0
	}
	return int(f)
}
