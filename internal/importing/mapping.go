package importing

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Kind is what the rows of a file are.
type Kind string

// Kinds of files.
const (
	Profiles Kind = "profiles" // each row describes a person: an identify call
	Events   Kind = "events"   // each row is something that a person did: a track call
	Items    Kind = "items"    // each row is an item of the catalogue
)

// Mapping says which column, or which path in NDJSON, becomes which field.
type Mapping struct {
	Delimiter string `yaml:"delimiter"` // of CSV
	Encoding  string `yaml:"encoding"`

	// Profiles and events.
	UserID      *Field            `yaml:"userId"`
	AnonymousID *Field            `yaml:"anonymousId"`
	ExternalIDs map[string]*Field `yaml:"externalIds"`
	Timestamp   *Field            `yaml:"timestamp"`
	MessageID   *Field            `yaml:"messageId"`
	Traits      map[string]*Field `yaml:"traits"`     // profiles
	Event       *Field            `yaml:"event"`      // events
	Properties  map[string]*Field `yaml:"properties"` // events
	Context     map[string]*Field `yaml:"context"`

	// Items.
	Key        *Field            `yaml:"key"`
	Name       *Field            `yaml:"name"`
	Category   *Field            `yaml:"category"`
	Price      *Field            `yaml:"price"`
	Cost       *Field            `yaml:"cost"`
	Stock      *Field            `yaml:"stock"`
	ImageURL   *Field            `yaml:"imageUrl"`
	Attributes map[string]*Field `yaml:"attributes"`

	hash string
}

// Field says where a value comes from and what it is. In YAML a plain text
// stands for {from: text}.
type Field struct {
	From      string   `yaml:"from" json:"from,omitempty" maxLength:"500" doc:"Column, or path with dots"`
	Const     any      `yaml:"const" json:"const,omitempty" doc:"The same for every row, in place of from"`
	Default   any      `yaml:"default" json:"default,omitempty" doc:"Value where there is none"`
	Transform []string `yaml:"transform,omitempty" json:"transform,omitempty" enum:"trim,lower,upper,digits,phone" maxItems:"5" doc:"What is done to a text, in order, before its type is looked at"`
	Type      string   `yaml:"type" json:"type,omitempty" enum:"string,number,integer,boolean,time,json" doc:"As it is when empty"`
	Layout    string   `yaml:"layout" json:"layout,omitempty" maxLength:"100" doc:"Of a time: iso, unix, unixMillis, or how Go would write 2 January 2006, 15:04:05"`
	Zone      string   `yaml:"zone" json:"zone,omitempty" maxLength:"100" doc:"Of a time without one, such as Europe/Moscow; UTC when empty"`
	Required  bool     `yaml:"required" json:"required,omitempty" doc:"Refuse what has no value"`
	location  *time.Location
}

// Source is something that values are taken from, such as a row of a file.
type Source interface {
	// Lookup returns the value of a column or path; false where there is none.
	Lookup(path string) (any, bool)
}

// UnmarshalYAML reads the short and the long form.
func (f *Field) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&f.From)
	}
	type plain Field
	// A Decoder's KnownFields does not reach into a type with a method of its own.
	known := []string{"from", "const", "default", "transform", "type", "layout", "zone", "required"}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if !slices.Contains(known, node.Content[i].Value) {
			return fmt.Errorf("line %d: %q is not one of %s", node.Content[i].Line, node.Content[i].Value, strings.Join(known, ", "))
		}
	}
	return node.Decode((*plain)(f))
}

// transforms are what can be done to a text.
var transforms = map[string]func(string) string{
	"trim": strings.TrimSpace, "lower": strings.ToLower, "upper": strings.ToUpper,
	"digits": func(s string) string { return keepDigits(s, false) },
	// What people write between the digits goes; a plus in front stays.
	"phone": func(s string) string { return keepDigits(s, true) },
}

func keepDigits(s string, plus bool) string {
	s = strings.TrimSpace(s)
	var b strings.Builder
	for i, c := range s {
		if c >= '0' && c <= '9' || plus && i == 0 && c == '+' {
			b.WriteRune(c)
		}
	}
	return b.String()
}

var fieldTypes = []string{"", "string", "number", "integer", "boolean", "time", "json"}

// ParseMapping reads a mapping and checks it for a kind of file. The error names
// every field that is wrong.
func ParseMapping(text []byte, kind Kind) (*Mapping, error) {
	m := new(Mapping)
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(m); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the mapping: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("reading the mapping: it must be one YAML document")
	}
	if m.Timestamp != nil && m.Timestamp.Type == "" {
		m.Timestamp.Type = "time"
	}
	var bad []error
	complain := func(format string, args ...any) { bad = append(bad, fmt.Errorf(format, args...)) }
	if d := []rune(m.Delimiter); len(d) > 1 || len(d) == 1 && strings.ContainsRune("\"\r\n\x00\uFFFD", d[0]) {
		complain("delimiter must be one character, and no quotation mark or end of line")
	}
	fields := m.fields(kind)
	for name, f := range m.all() {
		if _, ok := fields[name]; !ok {
			complain("%s has no meaning for %s", name, kind)
			continue
		}
		if err := f.Check(); err != nil {
			complain("%s: %w", name, err)
		}
	}
	switch kind {
	case Profiles, Events:
		if m.UserID == nil && m.AnonymousID == nil && len(m.ExternalIDs) == 0 {
			complain("userId, anonymousId or externalIds is required: who the row is about")
		}
		if kind == Events && m.Event == nil {
			complain("event is required: what happened")
		}
	case Items:
		if m.Key == nil {
			complain("key is required: the id of the item")
		}
		if m.Name == nil {
			complain("name is required")
		}
	default:
		complain("%q is not a kind of file", kind)
	}
	slices.SortFunc(bad, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if err := errors.Join(bad...); err != nil {
		return nil, fmt.Errorf("the mapping is wrong:\n%w", err)
	}
	// Of what the mapping says, not of how it is written: a comment changes nothing.
	meaning, err := yaml.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding the mapping: %w", err)
	}
	sum := sha256.Sum256(append([]byte(string(kind)+"\n"), meaning...))
	m.hash = hex.EncodeToString(sum[:])
	return m, nil
}

// Hash recognises the mapping: SHA-256, hexadecimal.
func (m *Mapping) Hash() string { return m.hash }

// paths are the columns or paths that the file has to have.
func (m *Mapping) paths() []string {
	var out []string
	for _, f := range m.all() {
		if f.From != "" && (f.Default == nil || f.Required) && !slices.Contains(out, f.From) {
			out = append(out, f.From)
		}
	}
	return out
}

// CheckFile complains about columns and paths that the file does not have.
func (m *Mapping) CheckFile(s Survey) error {
	var missing []string
	for name, f := range m.all() {
		switch {
		case f.From == "":
		case s.Columns != nil && !slices.Contains(s.Columns, f.From):
			missing = append(missing, fmt.Sprintf("%s points at the column %q", name, f.From))
		case s.Columns == nil && slices.Contains(s.Absent, f.From):
			missing = append(missing, fmt.Sprintf("%s points at %q, which no row has", name, f.From))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	text := "the mapping points nowhere: " + strings.Join(missing, ", ")
	if s.Columns != nil {
		text += "; the file has the columns " + strings.Join(s.Columns, ", ")
	}
	return errors.New(text)
}

// all are the fields that the mapping has, by their names in the file.
func (m *Mapping) all() map[string]*Field {
	return collect(map[string]*Field{
		"userId": m.UserID, "anonymousId": m.AnonymousID, "timestamp": m.Timestamp, "messageId": m.MessageID, "event": m.Event,
		"key": m.Key, "name": m.Name, "category": m.Category, "price": m.Price, "cost": m.Cost, "stock": m.Stock, "imageUrl": m.ImageURL,
	}, map[string]map[string]*Field{
		"externalIds": m.ExternalIDs, "traits": m.Traits, "properties": m.Properties, "context": m.Context, "attributes": m.Attributes,
	})
}

// fields are those that have a meaning for the kind.
func (m *Mapping) fields(kind Kind) map[string]*Field {
	switch kind {
	case Profiles:
		return collect(map[string]*Field{"userId": m.UserID, "anonymousId": m.AnonymousID, "timestamp": m.Timestamp, "messageId": m.MessageID},
			map[string]map[string]*Field{"externalIds": m.ExternalIDs, "traits": m.Traits, "context": m.Context})
	case Events:
		return collect(map[string]*Field{"userId": m.UserID, "anonymousId": m.AnonymousID, "timestamp": m.Timestamp, "messageId": m.MessageID, "event": m.Event},
			map[string]map[string]*Field{"externalIds": m.ExternalIDs, "properties": m.Properties, "context": m.Context})
	case Items:
		return collect(map[string]*Field{"key": m.Key, "name": m.Name, "category": m.Category, "price": m.Price, "cost": m.Cost, "stock": m.Stock, "imageUrl": m.ImageURL},
			map[string]map[string]*Field{"attributes": m.Attributes})
	}
	return nil
}

func collect(single map[string]*Field, groups map[string]map[string]*Field) map[string]*Field {
	out := map[string]*Field{}
	for name, f := range single {
		if f != nil {
			out[name] = f
		}
	}
	for group, fields := range groups {
		for name, f := range fields {
			if f == nil {
				f = &Field{}
			}
			out[group+"."+name] = f
		}
	}
	return out
}

// Check says what is wrong with a field. It has to be called before [Field.Value].
func (f *Field) Check() error {
	if f.From == "" && f.Const == nil && f.Default == nil {
		return errors.New("needs from (a column or path) or const (a value)")
	}
	if f.From != "" && f.Const != nil {
		return errors.New("has both from and const")
	}
	if !slices.Contains(fieldTypes, f.Type) {
		return fmt.Errorf("type %q is not one of string, number, integer, boolean, time, json", f.Type)
	}
	for _, name := range f.Transform {
		if transforms[name] == nil {
			return fmt.Errorf("transform %q is not one of trim, lower, upper, digits, phone", name)
		}
	}
	if f.Type != "time" && (f.Layout != "" || f.Zone != "") {
		return errors.New("layout and zone belong to type time")
	}
	if f.Layout != "" && !slices.Contains([]string{"iso", "unix", "unixMillis"}, f.Layout) && !goLayout(f.Layout) {
		return fmt.Errorf("layout %q has nothing of a time in it: write iso, unix, unixMillis or how 2 January 2006, 15:04:05 would be written", f.Layout)
	}
	f.location = time.UTC
	if f.Zone != "" {
		var err error
		if f.location, err = time.LoadLocation(f.Zone); err != nil {
			return fmt.Errorf("zone %q is not known", f.Zone)
		}
	}
	return nil
}

// goLayout says whether a layout makes a difference between two times that
// differ in everything; YYYY-MM-DD makes none.
func goLayout(layout string) bool {
	a := time.Date(2001, 3, 4, 5, 6, 7, 8e8, time.UTC)
	return a.Format(layout) != a.AddDate(1, 1, 1).Add(time.Hour+time.Minute+time.Second).Format(layout)
}

// Value reads the field from a row; nil when it is absent.
func (f *Field) Value(row Source) (any, error) {
	if f.Const != nil {
		return f.convert(f.Const)
	}
	v, ok := row.Lookup(f.From)
	if !ok {
		v = f.Default
	}
	if v == nil {
		if f.Required {
			return nil, errors.New("is required")
		}
		return nil, nil
	}
	return f.convert(v)
}

func (f *Field) convert(v any) (any, error) {
	if text, ok := v.(string); ok {
		for _, name := range f.Transform {
			text = transforms[name](text)
		}
		v = text
	}
	switch f.Type {
	case "":
		return v, nil
	case "string":
		return asText(v)
	case "number":
		return asNumber(v)
	case "integer":
		n, err := asNumber(v)
		if err != nil || n != math.Trunc(n) || math.Abs(n) > 1<<53 {
			return nil, fmt.Errorf("must be a whole number, not %s", shown(v))
		}
		return n, nil
	case "boolean":
		return asBoolean(v)
	case "time":
		return f.asTime(v)
	case "json":
		text, ok := v.(string)
		if !ok {
			return v, nil
		}
		var out any
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			return nil, fmt.Errorf("must be JSON, not %s", shown(v))
		}
		return out, nil
	}
	return nil, fmt.Errorf("unknown type %q", f.Type)
}

func shown(v any) string {
	text := fmt.Sprint(v)
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:60], "") + "…"
	}
	return strconv.Quote(text)
}

func asText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case map[string]any, []any:
		return "", fmt.Errorf("must be a text, not %s", shown(v))
	}
	return fmt.Sprint(v), nil
}

func asNumber(v any) (float64, error) {
	text := strings.TrimSpace(fmt.Sprint(v))
	if !strings.ContainsFunc(text, func(r rune) bool { return (r < '0' || r > '9') && !strings.ContainsRune("+-.eE", r) }) {
		if n, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(n, 0) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("must be a number, not %s", shown(v))
}

func asBoolean(v any) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(fmt.Sprint(v))) {
	case "1", "true", "yes", "y", "t", "on":
		return true, nil
	case "0", "false", "no", "n", "f", "off":
		return false, nil
	}
	return false, fmt.Errorf("must be true or false, not %s", shown(v))
}

// times are the layouts of iso.
var times = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
}

func (f *Field) asTime(v any) (time.Time, error) {
	text := strings.TrimSpace(fmt.Sprint(v))
	switch f.Layout {
	case "unix", "unixMillis":
		n, err := asNumber(text)
		if err != nil || math.Abs(n) > 1e15 {
			return time.Time{}, fmt.Errorf("must be a number of %s, not %s", f.Layout, shown(v))
		}
		if f.Layout == "unix" {
			n *= 1000
		}
		return time.UnixMilli(int64(n)).UTC(), nil
	case "", "iso":
		for _, layout := range times {
			if t, err := time.ParseInLocation(layout, text, f.location); err == nil {
				return t.UTC(), nil
			}
		}
		return time.Time{}, fmt.Errorf("must be a time in ISO 8601, not %s", shown(v))
	}
	t, err := time.ParseInLocation(f.Layout, text, f.location)
	if err != nil {
		return time.Time{}, fmt.Errorf("must be a time written like %s, not %s", f.Layout, shown(v))
	}
	return t.UTC(), nil
}
