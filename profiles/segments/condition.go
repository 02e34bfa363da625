package segments

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// op is the comparison of a condition.
type op string

const (
	opExists      op = "exists"
	opMissing     op = "missing"
	opEq          op = "eq"
	opNe          op = "ne"
	opIn          op = "in"
	opNotIn       op = "notIn"
	opLt          op = "lt"
	opLte         op = "lte"
	opGt          op = "gt"
	opGte         op = "gte"
	opBetween     op = "between"
	opContains    op = "contains"
	opStartsWith  op = "startsWith"
	opEndsWith    op = "endsWith"
	opBefore      op = "before"
	opAfter       op = "after"
	opWithinLast  op = "withinLast"
	opOlderThan   op = "olderThan"
	opWithinNext  op = "withinNext"
	opAnniversary op = "anniversaryWithin"
)

var (
	valueOps      = []op{opExists, opMissing, opEq, opNe, opIn, opNotIn, opLt, opLte, opGt, opGte, opBetween, opContains, opStartsWith, opEndsWith}
	dateOps       = []op{opBefore, opAfter, opWithinLast, opOlderThan, opWithinNext, opAnniversary}
	instantOps    = []op{opBefore, opAfter, opWithinLast, opOlderThan}
	numberOps     = []op{opEq, opNe, opLt, opLte, opGt, opGte, opBetween}
	identifierOps = []op{opExists, opMissing, opEq, opNe, opIn, opNotIn, opContains, opStartsWith, opEndsWith}
)

// test is an op with the value that it compares with.
type test struct {
	op       op
	fold     bool      // letters are compared in lower case
	literals []literal // of eq, ne, in, notIn, contains, startsWith, endsWith; folded already
	texts    map[string]struct{}
	low      float64 // of lt, lte, gt, gte; with high of between
	high     float64
	at       int64 // of before and after, Unix milliseconds
	span     int64 // milliseconds
}

type kind uint8

const (
	kindText kind = iota
	kindNumber
	kindFlag
)

// literal is a value that a rule names.
type literal struct {
	kind   kind
	text   string
	number float64
	flag   bool
}

func (l *literal) equal(v any, fold bool) bool {
	switch l.kind {
	case kindText:
		s, ok := v.(string)
		return ok && (s == l.text || fold && equalFold(s, l.text))
	case kindNumber:
		f, ok := asNumber(v)
		return ok && f == l.number
	default:
		b, ok := v.(bool)
		return ok && b == l.flag
	}
}

// asNumber reads a value that JSON, or a program, calls a number.
func asNumber(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}

// setLiterals keeps what the value is compared with, and makes a long list of
// texts quick to look up.
func (t *test) setLiterals(list []literal) {
	t.literals = list
	if t.fold || len(list) < 8 {
		return
	}
	t.texts = make(map[string]struct{}, len(list))
	for i := range list {
		if list[i].kind == kindText {
			t.texts[list[i].text] = struct{}{}
		}
	}
}

func (t *test) anyEqual(v any) bool {
	if t.texts != nil {
		if s, ok := v.(string); ok {
			_, there := t.texts[s]
			return there
		}
	}
	for i := range t.literals {
		if t.literals[i].equal(v, t.fold) {
			return true
		}
	}
	return false
}

// match tests a value of whatever type, nil when it is missing.
func (t *test) match(v any, now int64) bool {
	if v == nil {
		return t.op == opMissing
	}
	switch t.op {
	case opExists:
		return true
	case opMissing:
		return false
	case opEq, opIn:
		return t.anyEqual(v)
	case opNe, opNotIn:
		return !t.anyEqual(v)
	case opLt, opLte, opGt, opGte, opBetween:
		f, ok := asNumber(v)
		return ok && t.matchNumber(f)
	case opContains:
		if list, ok := v.([]any); ok {
			for _, e := range list {
				if t.literals[0].equal(e, t.fold) {
					return true
				}
			}
			return false
		}
	case opBefore, opAfter, opWithinLast, opOlderThan, opWithinNext, opAnniversary:
		s, ok := v.(string)
		if !ok {
			return false
		}
		at, ok := ParseDate(s)
		return ok && t.matchDate(at, now)
	}
	s, ok := v.(string)
	return ok && t.matchText(s)
}

// matchText tests a text that is there.
func (t *test) matchText(s string) bool {
	switch t.op {
	case opEq, opIn:
		return t.anyTextEqual(s)
	case opNe, opNotIn:
		return !t.anyTextEqual(s)
	}
	l := &t.literals[0]
	if l.kind != kindText {
		return false
	}
	switch {
	case t.op == opContains && t.fold:
		return containsFold(s, l.text)
	case t.op == opContains:
		return strings.Contains(s, l.text)
	case t.op == opStartsWith && t.fold:
		_, ok := cutFold(s, l.text)
		return ok
	case t.op == opStartsWith:
		return strings.HasPrefix(s, l.text)
	case t.op == opEndsWith && t.fold:
		return suffixFold(s, l.text)
	case t.op == opEndsWith:
		return strings.HasSuffix(s, l.text)
	}
	return false
}

func (t *test) anyTextEqual(s string) bool {
	if t.texts != nil {
		_, there := t.texts[s]
		return there
	}
	for i := range t.literals {
		l := &t.literals[i]
		if l.kind == kindText && (s == l.text || t.fold && equalFold(s, l.text)) {
			return true
		}
	}
	return false
}

func (t *test) matchNumber(f float64) bool {
	switch t.op {
	case opLt:
		return f < t.low
	case opLte:
		return f <= t.low
	case opGt:
		return f > t.low
	case opGte:
		return f >= t.low
	case opBetween:
		return t.low <= f && f <= t.high
	case opEq:
		return f == t.low
	case opNe:
		return f != t.low
	}
	return false
}

// matchDate tests an instant, in Unix milliseconds.
func (t *test) matchDate(at, now int64) bool {
	switch t.op {
	case opBefore:
		return at < t.at
	case opAfter:
		return at >= t.at
	case opWithinLast:
		return now-t.span < at && at <= now
	case opOlderThan:
		return at <= now-t.span
	case opWithinNext:
		return now < at && at <= now+t.span
	case opAnniversary:
		return anniversary(at, now, int(t.span/day))
	}
	return false
}

const day = int64(24 * time.Hour / time.Millisecond)

// anniversary says whether the day of the year of an instant is today or one of
// the next days. In a year without it, 29 February is 1 March.
func anniversary(at, now int64, days int) bool {
	_, month, dom := time.UnixMilli(at).UTC().Date()
	year, m, d := time.UnixMilli(now).UTC().Date()
	today := time.Date(year, m, d, 0, 0, 0, 0, time.UTC)
	next := time.Date(year, month, dom, 0, 0, 0, 0, time.UTC)
	if next.Before(today) {
		next = time.Date(year+1, month, dom, 0, 0, 0, 0, time.UTC)
	}
	return !next.After(today.AddDate(0, 0, days))
}

// anniversaries are the days of the year that [anniversary] accepts, as
// 100·month + day.
func anniversaries(now int64, days int) []uint16 {
	var codes []uint16
	y, m, d := time.UnixMilli(now).UTC().Date()
	for i := range days + 1 {
		at := time.Date(y, m, d+i, 0, 0, 0, 0, time.UTC)
		_, month, dom := at.Date()
		codes = append(codes, uint16(100*int(month)+dom))
		if month == time.March && dom == 1 && at.AddDate(0, 0, -1).Day() == 28 {
			codes = append(codes, 229)
		}
	}
	return codes
}

// ParseDate reads a date, in Unix milliseconds.
func ParseDate(s string) (int64, bool) {
	if len(s) < 10 || len(s) > 40 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	var at time.Time
	var err error
	switch {
	case len(s) == 10:
		year, ok1 := digits(s[:4])
		month, ok2 := digits(s[5:7])
		dom, ok3 := digits(s[8:])
		if !ok1 || !ok2 || !ok3 {
			return 0, false
		}
		at = time.Date(year, time.Month(month), dom, 0, 0, 0, 0, time.UTC)
		if at.Day() != dom || int(at.Month()) != month {
			return 0, false
		}
	case s[10] == ' ':
		at, err = time.Parse("2006-01-02 15:04:05.999999999", s)
	case len(s) >= 19 && !strings.ContainsAny(s[19:], "Z+-"):
		at, err = time.Parse("2006-01-02T15:04:05.999999999", s)
	default:
		at, err = time.Parse(time.RFC3339Nano, s)
	}
	if err != nil {
		return 0, false
	}
	ms := at.UnixMilli()
	return ms, earliestDate <= ms && ms < latestDate
}

// The span of time that the column of dates holds.
var (
	earliestDate = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	latestDate   = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

func digits(s string) (int, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// fold brings a text to lower case, letter by letter.
func fold(s string) string { return strings.Map(unicode.ToLower, s) }

// cutFold removes a beginning, which is folded, from s.
func cutFold(s, folded string) (rest string, ok bool) {
	for folded != "" {
		want, size := utf8.DecodeRuneInString(folded)
		if s == "" {
			return "", false
		}
		r, n := utf8.DecodeRuneInString(s)
		if unicode.ToLower(r) != want {
			return "", false
		}
		s, folded = s[n:], folded[size:]
	}
	return s, true
}

func equalFold(s, folded string) bool {
	rest, ok := cutFold(s, folded)
	return ok && rest == ""
}

func containsFold(s, folded string) bool {
	for i := range s {
		if _, ok := cutFold(s[i:], folded); ok {
			return true
		}
	}
	return folded == ""
}

func suffixFold(s, folded string) bool {
	for folded != "" {
		want, size := utf8.DecodeLastRuneInString(folded)
		if s == "" {
			return false
		}
		r, n := utf8.DecodeLastRuneInString(s)
		if unicode.ToLower(r) != want {
			return false
		}
		s, folded = s[:len(s)-n], folded[:len(folded)-size]
	}
	return true
}
