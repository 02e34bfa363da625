package segments

import (
	"math"
	"strconv"
	"strings"
)

// source says how SQL gets at a value, by type. Each pair is a condition that the
// value has the type, and the value then.
type source struct {
	exists        string
	isText, text  string
	isNumber, num string
	isFlag, flag  string
	isDate, date  string
	isList, list  string
	listElement   func(b *Builder, l *literal, fold bool) string // a condition on x, one element
}

// columns are a trait or an attribute in a row of the table of people.
func (b *Builder) columns(kind, name string) *source {
	n := b.text(name)
	pair := func(column string) (string, string) {
		return "mapContains(" + kind + "_" + column + ", " + n + ")", kind + "_" + column + "[" + n + "]"
	}
	s := &source{exists: "has(" + kind + "_names, " + n + ")", listElement: taggedElement}
	s.isText, s.text = pair("texts")
	s.isNumber, s.num = pair("numbers")
	s.isFlag, s.flag = pair("flags")
	s.isDate, s.date = pair("dates")
	s.isList, s.list = pair("lists")
	return s
}

// taggedElement compares x, an element as [Flatten] writes it.
func taggedElement(b *Builder, l *literal, fold bool) string {
	if l.kind == kindText && fold {
		return "startsWith(x, '" + tagText + "') AND " + b.lower("substring(x, 2)") + " = " + b.text(l.text)
	}
	return "x = " + b.text(tagged(l))
}

// document is a value in JSON.
func (b *Builder) document(expression string, path []string) *source {
	arguments := expression
	for _, name := range path {
		arguments += ", " + b.text(name)
	}
	kind := "JSONType(" + arguments + ")"
	return &source{
		exists: kind + " != 'Null'",
		isText: kind + " = 'String'", text: "JSONExtractString(" + arguments + ")",
		isNumber: kind + " IN ('Int64', 'UInt64', 'Double')", num: "JSONExtractFloat(" + arguments + ")",
		isFlag: kind + " = 'Bool'", flag: "JSONExtractBool(" + arguments + ")",
		isList: kind + " = 'Array'", list: "JSONExtractArrayRaw(" + arguments + ")",
		listElement: func(b *Builder, l *literal, fold bool) string {
			t := test{op: opEq, fold: fold, literals: []literal{*l}}
			return b.equal(&t, b.document("x", nil))
		},
	}
}

// test is the test of a value of whatever type.
func (b *Builder) test(t *test, s *source) string {
	switch t.op {
	case opExists:
		return "(" + s.exists + ")"
	case opMissing:
		return "(NOT " + s.exists + ")"
	case opEq, opIn:
		return b.equal(t, s)
	case opNe, opNotIn:
		return "(" + s.exists + " AND NOT " + b.equal(t, s) + ")"
	case opLt, opLte, opGt, opGte, opBetween:
		return "(" + s.isNumber + " AND " + b.number(t, s.num) + ")"
	case opContains:
		l := &t.literals[0]
		inList := "(" + s.isList + " AND arrayExists(x -> " + s.listElement(b, l, t.fold) + ", " + s.list + "))"
		if l.kind != kindText {
			return inList
		}
		return "((" + s.isText + " AND " + b.textTest(t, s.text) + ") OR " + inList + ")"
	case opStartsWith, opEndsWith:
		return "(" + s.isText + " AND " + b.textTest(t, s.text) + ")"
	default:
		return "(" + s.isDate + " AND " + b.date(t, s.date) + ")"
	}
}

// equal says that the value is one of the literals.
func (b *Builder) equal(t *test, s *source) string {
	var texts, bits []string
	flags := map[bool]bool{}
	for i := range t.literals {
		switch l := &t.literals[i]; l.kind {
		case kindText:
			texts = append(texts, l.text)
		case kindNumber:
			bits = append(bits, strconv.FormatUint(math.Float64bits(l.number), 10))
		default:
			flags[l.flag] = true
		}
	}
	var any []string
	if len(texts) > 0 {
		any = append(any, s.isText+" AND "+b.oneOf(texts, s.text, t.fold))
	}
	if len(bits) > 0 {
		any = append(any, s.isNumber+" AND "+b.oneOfNumbers(bits, s.num))
	}
	if len(flags) == 2 {
		any = append(any, s.isFlag)
	} else if len(flags) == 1 {
		value := "0"
		if flags[true] {
			value = "1"
		}
		any = append(any, s.isFlag+" AND "+s.flag+" = "+value)
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

func (b *Builder) oneOf(texts []string, expression string, fold bool) string {
	if fold {
		expression = b.lower(expression)
	}
	if len(texts) == 1 {
		return expression + " = " + b.text(texts[0])
	}
	return "has(" + b.texts(texts) + ", " + expression + ")"
}

func (b *Builder) oneOfNumbers(bits []string, expression string) string {
	if len(bits) == 1 {
		return expression + " = reinterpretAsFloat64(" + b.bind("UInt64", bits[0]) + ")"
	}
	// Equality, not membership of the bits: 0 is −0.
	return "arrayExists(y -> reinterpretAsFloat64(y) = " + expression + ", " + b.bind("Array(UInt64)", "["+strings.Join(bits, ",")+"]") + ")"
}

// textTest tests a text that is there.
func (b *Builder) textTest(t *test, expression string) string {
	switch t.op {
	case opEq, opIn, opNe, opNotIn:
		var texts []string
		for i := range t.literals {
			if t.literals[i].kind == kindText {
				texts = append(texts, t.literals[i].text)
			}
		}
		s := "0"
		if len(texts) > 0 {
			s = b.oneOf(texts, expression, t.fold)
		}
		if t.op == opNe || t.op == opNotIn {
			return "(NOT " + s + ")"
		}
		return "(" + s + ")"
	}
	if t.literals[0].kind != kindText {
		return "0"
	}
	if t.fold {
		expression = b.lower(expression)
	}
	needle := b.text(t.literals[0].text)
	switch t.op {
	case opStartsWith:
		return "startsWith(" + expression + ", " + needle + ")"
	case opEndsWith:
		return "endsWith(" + expression + ", " + needle + ")"
	}
	return "(position(" + expression + ", " + needle + ") > 0)"
}

func (b *Builder) number(t *test, expression string) string {
	switch t.op {
	case opBetween:
		return "(" + expression + " >= " + b.float(t.low) + " AND " + expression + " <= " + b.float(t.high) + ")"
	case opLt:
		return "(" + expression + " < " + b.float(t.low) + ")"
	case opLte:
		return "(" + expression + " <= " + b.float(t.low) + ")"
	case opGt:
		return "(" + expression + " > " + b.float(t.low) + ")"
	case opGte:
		return "(" + expression + " >= " + b.float(t.low) + ")"
	case opNe:
		return "(" + expression + " != " + b.float(t.low) + ")"
	default:
		return "(" + expression + " = " + b.float(t.low) + ")"
	}
}

// date tests a DateTime64.
func (b *Builder) date(t *test, expression string) string {
	if t.op == opAnniversary {
		codes := anniversaries(b.now, int(t.span/day))
		list := make([]string, len(codes))
		for i, c := range codes {
			list[i] = strconv.Itoa(int(c))
		}
		return "has(" + b.bind("Array(UInt16)", "["+strings.Join(list, ",")+"]") + ", toUInt16(100 * toMonth(" + expression + ") + toDayOfMonth(" + expression + ")))"
	}
	return b.instant(t, "toUnixTimestamp64Milli("+expression+")")
}

// instant tests a time in Unix milliseconds.
func (b *Builder) instant(t *test, at string) string {
	switch t.op {
	case opBefore:
		return "(" + at + " < " + b.whole(t.at) + ")"
	case opAfter:
		return "(" + at + " >= " + b.whole(t.at) + ")"
	case opWithinLast:
		return "(" + at + " > " + b.whole(b.now-t.span) + " AND " + at + " <= " + b.whole(b.now) + ")"
	case opOlderThan:
		return "(" + at + " <= " + b.whole(b.now-t.span) + ")"
	default:
		return "(" + at + " > " + b.whole(b.now) + " AND " + at + " <= " + b.whole(b.now+t.span) + ")"
	}
}
