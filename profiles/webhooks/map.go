package webhooks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"quintet/internal/problem"
)

// Mapped is what became of a body.
type Mapped struct {
	// Messages are messages of the tracking API as JSON, and Items the item that
	// each is made of.
	Messages []json.RawMessage
	Items    []int
	// Skipped are the items for which no template's conditions hold.
	Skipped []int
	// Rejected are the items of which a message could not be made.
	Rejected []Rejected
}

// Rejected is an item that does not fit its mapping.
type Rejected struct {
	Item   int
	Errors problem.Invalid
	// Raw is the item as JSON, and Templates are those that it does not fit.
	Raw       json.RawMessage
	Templates []int
}

// Map makes messages of a body. form says that it is encoded as a form is. key is
// the webhook's key: messages without an id of their own that have a time get one
// made of it, so that a call that comes twice counts once. The error is about the
// body as a whole.
func (c *Compiled) Map(key string, body []byte, form bool) (*Mapped, error) {
	items, err := c.itemsOf(body, form)
	if err != nil {
		return nil, err
	}
	return c.mapItems(key, items, nil), nil
}

// MapItem makes messages of one item, such as one that was rejected before, by the
// given templates.
func (c *Compiled) MapItem(key string, raw []byte, templates []int) (*Mapped, error) {
	var item any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // an id of 20 digits must stay what it is
	if err := decoder.Decode(&item); err != nil || decoder.More() {
		return nil, problem.Invalid{{Field: "", Rule: "must be JSON"}}
	}
	if _, ok := item.(map[string]any); !ok {
		return nil, problem.Invalid{{Field: "", Rule: "must be an object"}}
	}
	return c.mapItems(key, []any{item}, templates), nil
}

// mapItems makes messages of items by the given templates, by all where none are
// given.
func (c *Compiled) mapItems(key string, items []any, templates []int) *Mapped {
	out := new(Mapped)
	for i, item := range items {
		made := 0
		var bad problem.Invalid
		var unfit []int
		for n := range c.Messages {
			t := &c.Messages[n]
			if len(templates) > 0 && !slices.Contains(templates, n) || !c.holds(t.When, item) {
				continue
			}
			made++
			message, faults := c.message(t, item)
			if len(faults) > 0 {
				bad, unfit = append(bad, faults...), append(unfit, n)
				continue
			}
			if _, has := message["messageId"]; !has && t.Timestamp != nil {
				message["messageId"] = idOf(key, n, message)
			}
			encoded, err := json.Marshal(message)
			if err != nil {
				bad.Add("", "cannot be written as JSON: "+err.Error(), nil)
				continue
			}
			out.Messages, out.Items = append(out.Messages, encoded), append(out.Items, i)
		}
		if made == 0 {
			out.Skipped = append(out.Skipped, i)
		}
		if len(bad) > 0 {
			raw, _ := json.Marshal(item) // it was JSON, so that it can be written as such
			out.Rejected = append(out.Rejected, Rejected{Item: i, Errors: bad, Raw: raw, Templates: unfit})
		}
	}
	return out
}

// idOf is an id for a message: the same for the same content.
func idOf(key string, template int, message map[string]any) string {
	text, err := json.Marshal(message) // with its members in order
	if err != nil {
		return "" // it is encoded again, where the error is told
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%s", key, template, text))
	return "hook-" + hex.EncodeToString(sum[:16])
}

// itemsOf finds the items of a body.
func (c *Compiled) itemsOf(body []byte, form bool) ([]any, error) {
	if !utf8.Valid(body) {
		return nil, problem.Invalid{{Field: "", Rule: "the body must be valid UTF-8"}}
	}
	var whole any
	if form {
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, problem.Invalid{{Field: "", Rule: "the body must be encoded as a form is: " + err.Error()}}
		}
		fields := make(map[string]any, len(values))
		for name, list := range values {
			if !utf8.ValidString(name + strings.Join(list, "")) {
				return nil, problem.Invalid{{Field: "", Rule: "the fields of the form must be valid UTF-8"}}
			}
			if fields[name] = list[0]; len(list) > 1 {
				all := make([]any, len(list))
				for i := range list {
					all[i] = list[i]
				}
				fields[name] = all
			}
		}
		if whole = fields; c.Form != "" {
			text, ok := fields[c.Form].(string)
			if !ok {
				return nil, problem.Invalid{{Field: c.Form, Rule: "is required: the field of the form that holds JSON"}}
			}
			body, form = []byte(text), false
		}
	}
	if !form {
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber() // an id of 20 digits must stay what it is
		if err := decoder.Decode(&whole); err != nil {
			return nil, problem.BadRequest("The body is not JSON: " + err.Error() + ".")
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return nil, problem.BadRequest("The body is not JSON: there is more text after the end of the value.")
		}
	}
	found, ok := c.items.in(whole)
	if !ok {
		return nil, problem.Invalid{{Field: "items", Rule: "points at " + strconv.Quote(c.Items) + ", which the body does not have"}}
	}
	items, isList := found.([]any)
	if !isList {
		items = []any{found}
	}
	if len(items) > MaxItems {
		return nil, problem.Invalid{{Field: "items", Rule: fmt.Sprintf("must not be more than %d", MaxItems), Value: len(items)}}
	}
	for i, item := range items {
		if _, ok := item.(map[string]any); !ok {
			return nil, problem.Invalid{{Field: fmt.Sprintf("items[%d]", i), Rule: "must be an object"}}
		}
	}
	return items, nil
}

// lookup is an item as a [importing.Source].
type lookup struct {
	c    *Compiled
	item any
}

// Lookup returns the value at a path; null counts as absent.
func (l lookup) Lookup(text string) (any, bool) {
	v, ok := l.c.steps[text].in(l.item)
	if n, isNumber := v.(json.Number); isNumber {
		return n, true
	}
	return v, ok && v != nil
}

func (c *Compiled) message(t *Template, item any) (map[string]any, problem.Invalid) {
	m := map[string]any{"type": t.Type}
	var bad problem.Invalid
	read := func(at string, f *Field) any {
		v, err := c.value(f, item)
		if err != nil {
			bad.Add(at, err.Error(), nil)
		}
		return v
	}
	texts := t.fields()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		f := *texts[name]
		if f == nil {
			continue
		}
		switch v := read(name, f).(type) {
		case nil:
		case string:
			if v != "" {
				m[name] = v
			}
		case json.Number, float64, bool:
			m[name] = fmt.Sprint(v)
		case time.Time:
			m[name] = v.Format(messageTime)
		default:
			bad.Add(name, "must be a text"+from(f)+", not an object or array", nil)
		}
	}
	group := func(title string, fields map[string]Field) map[string]any {
		out := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			f := fields[name]
			switch v := read(title+"."+name, &f).(type) {
			case nil:
			case time.Time:
				out[name] = v.Format(messageTime)
			case float64:
				if out[name] = v; math.IsNaN(v) || math.IsInf(v, 0) {
					bad.Add(title+"."+name, "must be a number", nil)
				}
			default:
				out[name] = v
			}
		}
		return out
	}
	if properties := group("properties", t.Properties); len(properties) > 0 {
		m["properties"] = properties
	}
	if traits := group("traits", t.Traits); len(traits) > 0 {
		m["traits"] = traits
	}
	var ids []any
	externals := group("externalIds", t.ExternalIDs)
	for _, name := range slices.Sorted(maps.Keys(externals)) {
		if text := strings.TrimSpace(fmt.Sprint(externals[name])); text != "" {
			ids = append(ids, map[string]any{"type": name, "id": text})
		}
	}
	if len(ids) > 0 {
		m["context"] = map[string]any{"externalIds": ids}
	}
	return m, bad
}

func from(f *Field) string {
	if f.From == "" {
		return ""
	}
	return " at " + strconv.Quote(f.From)
}

func (c *Compiled) value(f *Field, item any) (any, error) {
	if f.From != "" && f.Default == nil && !f.Optional {
		if _, there := c.steps[f.From].in(item); !there {
			return nil, fmt.Errorf("points at %q, which the item does not have", f.From)
		}
	}
	v, err := f.Value(lookup{c, item})
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, from(f))
	}
	if text, ok := v.(string); ok && f.Prefix != "" && text != "" {
		return f.Prefix + text, nil
	}
	if n, ok := v.(json.Number); ok && f.Prefix != "" {
		return f.Prefix + n.String(), nil
	}
	return v, nil
}

// holds says whether all conditions hold for the item.
func (c *Compiled) holds(when []Condition, item any) bool {
	for i := range when {
		if !c.holdsOne(&when[i], item) {
			return false
		}
	}
	return true
}

func (c *Compiled) holdsOne(w *Condition, item any) bool {
	v, ok := c.steps[w.Path].in(item)
	there := ok && v != nil
	switch w.Op {
	case "exists":
		return there
	case "absent":
		return !there
	case "equals":
		return there && same(v, w.Value)
	case "notEquals":
		return !there || !same(v, w.Value)
	case "in":
		list, _ := w.Value.([]any)
		return there && slices.ContainsFunc(list, func(one any) bool { return same(v, one) })
	case "contains":
		if list, isList := v.([]any); isList {
			return slices.ContainsFunc(list, func(one any) bool { return same(one, w.Value) })
		}
		text, isText := v.(string)
		return isText && strings.Contains(text, fmt.Sprint(w.Value))
	case "above", "below":
		a, isNumber := number(v)
		b, _ := number(w.Value)
		return isNumber && (w.Op == "above" && a > b || w.Op == "below" && a < b)
	}
	return false
}

// same compares a value of an item with one of a definition: 5, 5.0 and "5" are
// the same, as a form knows texts only.
func same(a, b any) bool {
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			return x == y
		}
	}
	switch a.(type) {
	case map[string]any, []any:
		return false
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return 0, false
}
