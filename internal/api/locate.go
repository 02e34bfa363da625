package api

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"quintet/internal/problem"
)

// maxFound bounds the wrong fields that are looked for in one body.
const maxFound = 100

// locate compares valid JSON with the Go type that it does not fit and returns
// every field that is wrong. It runs only after decoding has failed, when
// naming the field matters and speed does not.
func locate(data []byte, t reflect.Type, refuseUnknown bool) problem.Invalid {
	l := &locator{refuseUnknown: refuseUnknown}
	l.check("body", data, t)
	return l.found
}

type locator struct {
	refuseUnknown bool
	found         problem.Invalid
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	timeType        = reflect.TypeFor[time.Time]()
)

func (l *locator) check(path string, raw json.RawMessage, t reflect.Type) {
	if len(l.found) >= maxFound {
		return
	}
	raw = bytes.TrimSpace(raw)
	for t.Kind() == reflect.Pointer && !t.Implements(jsonUnmarshaler) && !t.Implements(textUnmarshaler) {
		t = t.Elem()
	}
	if bytes.Equal(raw, []byte("null")) {
		return // encoding/json leaves the value as it is
	}
	if own := reflect.PointerTo(t); own.Implements(jsonUnmarshaler) || own.Implements(textUnmarshaler) {
		l.leaf(path, raw, t)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		l.object(path, raw, "must be an object", func(key string) (reflect.Type, bool) { return fieldType(t, key) })
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			l.leaf(path, raw, t)
			return
		}
		l.object(path, raw, "must be an object", func(string) (reflect.Type, bool) { return t.Elem(), true })
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			l.leaf(path, raw, t)
			return
		}
		l.array(path, raw, t.Elem())
	case reflect.Interface:
		l.anything(path, raw, t)
	default:
		l.leaf(path, raw, t)
	}
}

// anything looks into a value whose type is open: only a number can be wrong, as
// JSON has numbers that a float64 does not.
func (l *locator) anything(path string, raw json.RawMessage, t reflect.Type) {
	switch raw[0] {
	case '{':
		l.object(path, raw, "", func(string) (reflect.Type, bool) { return t, true })
	case '[':
		l.array(path, raw, t)
	default:
		l.leaf(path, raw, t)
	}
}

func (l *locator) object(path string, raw json.RawMessage, rule string, field func(string) (reflect.Type, bool)) {
	if raw[0] != '{' {
		l.add(path, rule, raw)
		return
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		l.add(path, rule, raw)
		return
	}
	keys := make([]string, 0, len(members))
	for key := range members {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		at := problem.Join(path, member(key))
		t, known := field(key)
		switch {
		case known && t != nil:
			l.check(at, members[key], t)
		case !known && l.refuseUnknown:
			l.add(at, "is not a known field", members[key])
		}
	}
}

func (l *locator) array(path string, raw json.RawMessage, element reflect.Type) {
	var elements []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &elements) != nil {
		l.add(path, "must be an array", raw)
		return
	}
	for i, e := range elements {
		l.check(path+"["+strconv.Itoa(i)+"]", e, element)
	}
}

func (l *locator) leaf(path string, raw json.RawMessage, t reflect.Type) {
	err := json.Unmarshal(raw, reflect.New(t).Interface())
	if err == nil {
		return
	}
	var nested problem.Invalid
	if errors.As(err, &nested) {
		l.found.Nest(path, nested)
		return
	}
	l.add(path, ruleFor(t, raw, err), raw)
}

func (l *locator) add(path, rule string, raw json.RawMessage) {
	if len(l.found) < maxFound {
		l.found.Add(path, rule, raw)
	}
}

// ruleFor is what a value of the type has to be.
func ruleFor(t reflect.Type, raw json.RawMessage, err error) string {
	if t == timeType {
		return "must be a time such as 2026-01-31T12:00:00Z"
	}
	number := raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'
	switch t.Kind() {
	case reflect.String:
		if !reflect.PointerTo(t).Implements(textUnmarshaler) {
			return "must be a string"
		}
	case reflect.Bool:
		return "must be true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if number {
			return "must be a whole number of at most " + strconv.Itoa(t.Bits()) + " bits"
		}
		return "must be a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if number {
			return "must be a whole number, not negative, of at most " + strconv.Itoa(t.Bits()) + " bits"
		}
		return "must be a whole number"
	case reflect.Float32, reflect.Float64, reflect.Interface:
		if number {
			return "must be a number within the range of a 64-bit float"
		}
		return "must be a number"
	case reflect.Slice:
		return "must be a base64 string"
	}
	return "is not valid: " + problem.Clip(strings.TrimPrefix(err.Error(), "json: "))
}

// fieldType is the type of the field that encoding/json would decode the key
// into: the exact name first, then without regard to case; nil for a field that
// is known but not decoded.
func fieldType(t reflect.Type, key string) (reflect.Type, bool) {
	var folded reflect.Type
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" && structLike(f.Type) || !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if name == key {
			return f.Type, true
		}
		if folded == nil && strings.EqualFold(name, key) {
			folded = f.Type
		}
	}
	return folded, folded != nil
}

func structLike(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct
}

// member is a key as a part of a path, shortened.
func member(key string) string {
	if key == "" || strings.ContainsAny(key, ".[] \"\n") {
		return "[" + strconv.Quote(problem.Clip(key)) + "]"
	}
	return problem.Clip(key)
}
