package segments

import (
	"sort"
	"strconv"
	"strings"
	"time"
)

// Flat is a set of traits or attributes by type, as a row of the table of people
// has it. It is what the SQL of a rule reads; [Rule.Match] reads the values as they
// are.
type Flat struct {
	Names   []string // of all values that are not missing, sorted
	Texts   map[string]string
	Numbers map[string]float64
	Flags   map[string]bool
	Dates   map[string]time.Time // of the texts that are dates
	Lists   map[string][]string  // elements with a letter for their type: text t, number n, boolean b
}

const (
	tagText   = "t"
	tagNumber = "n"
	tagFlag   = "b"
)

// Flatten sorts values by type.
func Flatten(values map[string]any) Flat {
	f := Flat{
		Names: make([]string, 0, len(values)), Texts: map[string]string{}, Numbers: map[string]float64{}, Flags: map[string]bool{},
		Dates: map[string]time.Time{}, Lists: map[string][]string{},
	}
	for name, v := range values {
		f.add(name, v)
		if o, ok := v.(map[string]any); ok && !strings.Contains(name, ".") {
			f.members(values, name, o)
		}
	}
	sort.Strings(f.Names)
	return f
}

// members adds what an object holds under names with dots, as a rule finds it. A
// value that has such a name itself comes before.
func (f *Flat) members(values map[string]any, path string, o map[string]any) {
	for member, v := range o {
		name := path + "." + member
		if strings.Contains(member, ".") {
			continue
		}
		if _, taken := values[name]; !taken {
			f.add(name, v)
		}
		if inner, ok := v.(map[string]any); ok {
			f.members(values, name, inner)
		}
	}
}

func (f *Flat) add(name string, v any) {
	if v == nil {
		return
	}
	f.Names = append(f.Names, name)
	switch v := v.(type) {
	case string:
		f.Texts[name] = v
		if at, ok := ParseDate(v); ok {
			f.Dates[name] = time.UnixMilli(at).UTC()
		}
	case bool:
		f.Flags[name] = v
	case []any:
		f.Lists[name] = elementTexts(v)
	default:
		if n, ok := asNumber(v); ok {
			f.Numbers[name] = n
		}
	}
}

func elementTexts(list []any) []string {
	texts := make([]string, 0, len(list))
	for _, e := range list {
		switch e := e.(type) {
		case string:
			texts = append(texts, tagText+e)
		case bool:
			texts = append(texts, tagged(&literal{kind: kindFlag, flag: e}))
		default:
			if n, ok := asNumber(e); ok {
				texts = append(texts, tagged(&literal{kind: kindNumber, number: n}))
			}
		}
	}
	return texts
}

// tagged is a literal in the form of an element of a list.
func tagged(l *literal) string {
	switch l.kind {
	case kindText:
		return tagText + l.text
	case kindFlag:
		return tagFlag + strconv.FormatBool(l.flag)
	}
	n := l.number
	if n == 0 {
		n = 0 // −0 is 0
	}
	return tagNumber + strconv.FormatFloat(n, 'g', -1, 64)
}
