package decide

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
)

// appendJSON adds the response as encoding/json writes it. Every decision is
// answered with one, and reflection would cost more than the choice itself; a
// test compares the two.
func (r *Response) appendJSON(b []byte) []byte {
	b = appendField(b, `{"decisionId":`, r.DecisionID)
	b = appendField(b, `,"decision":`, r.Decision)
	b = appendField(b, `,"who":{"profileId":`, r.Who.ProfileID)
	b = append(b, `,"eligible":`...)
	b = strconv.AppendBool(b, r.Who.Eligible)
	b = appendField(b, `,"group":`, string(r.Who.Group))
	b = append(b, `,"reasons":`...)
	b = appendStrings(b, r.Who.Reasons)
	b = append(b, '}')
	if w := r.What; w != nil {
		b = appendField(b, `,"what":{"offer":`, w.Offer)
		b = append(b, `,"items":[`...)
		for i, item := range w.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendField(b, `{"id":`, item.ID)
			b = append(b, `,"score":`...)
			b = appendNumber(b, item.Score)
			b = appendField(b, `,"reason":`, item.Reason)
			b = append(b, '}')
		}
		b = append(b, `]}`...)
	}
	if w := r.Where; w != nil {
		b = appendField(b, `,"where":{"channel":`, w.Channel)
		b = append(b, '}')
	}
	if w := r.When; w != nil {
		b = append(b, `,"when":{"sendAt":`...)
		b = appendTime(b, w.SendAt)
		b = append(b, '}')
	}
	if h := r.How; h != nil {
		b = appendField(b, `,"how":{"creative":`, h.Creative)
		for _, f := range [...]struct{ name, value string }{
			{`,"tone":`, h.Tone}, {`,"emphasis":`, h.Emphasis}, {`,"background":`, h.Background}, {`,"imagery":`, h.Imagery},
		} {
			if f.value != "" {
				b = appendField(b, f.name, f.value)
			}
		}
		b = append(b, '}')
	}
	b = append(b, `,"propensity":`...)
	b = appendNumber(b, r.Propensity)
	for _, f := range [...]struct {
		name  string
		value float64
	}{
		{`,"propensities":{"what":`, r.Propensities.What}, {`,"where":`, r.Propensities.Where},
		{`,"when":`, r.Propensities.When}, {`,"how":`, r.Propensities.How},
	} {
		b = append(b, f.name...)
		b = appendNumber(b, f.value)
	}
	b = appendField(b, `},"policy":{"key":`, r.Policy.Key)
	b = append(b, `,"version":`...)
	b = strconv.AppendInt(b, r.Policy.Version, 10)
	b = appendField(b, `,"type":`, r.Policy.Type)
	if r.Policy.Model != 0 {
		b = append(b, `,"model":`...)
		b = strconv.AppendInt(b, r.Policy.Model, 10)
	}
	b = append(b, `},"experiments":`...)
	b = appendEnrolments(b, r.Experiments)
	b = append(b, `,"fallback":`...)
	b = strconv.AppendBool(b, r.Fallback)
	if r.Reason != "" {
		b = appendField(b, `,"fallbackReason":`, r.Reason)
	}
	b = append(b, `,"expiresAt":`...)
	b = appendTime(b, r.ExpiresAt)
	return append(b, '}')
}

func appendEnrolments(b []byte, list []Enrolment) []byte {
	if list == nil {
		return append(b, `null`...)
	}
	b = append(b, '[')
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendField(b, `{"key":`, e.Key)
		b = appendField(b, `,"variant":`, e.Variant)
		if e.Version != 0 {
			b = append(b, `,"version":`...)
			b = strconv.AppendInt(b, e.Version, 10)
		}
		if e.How != "" {
			b = appendField(b, `,"how":`, e.How)
		}
		if e.Unit != "" {
			b = appendField(b, `,"unit":`, e.Unit)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendField(b []byte, name, value string) []byte {
	return appendString(append(b, name...), value)
}

func appendStrings(b []byte, list []string) []byte {
	if list == nil {
		return append(b, `null`...)
	}
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// appendString adds a JSON string; what needs escapes is left to encoding/json.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // a string cannot fail
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendNumber adds a finite number in the form of encoding/json.
func appendNumber(b []byte, x float64) []byte {
	format := byte('f')
	if a := math.Abs(x); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, x, format, -1, 64)
	if format == 'e' {
		// e-09 becomes e-9.
		if n := len(b); n >= 4 && b[n-4] == 'e' && (b[n-3] == '-' || b[n-3] == '+') && b[n-2] == '0' {
			b[n-2] = b[n-1]
			b = b[:n-1]
		}
	}
	return b
}

func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// appendObject adds a flat object as encoding/json writes it, with sorted names.
func appendObject(b []byte, m map[string]any) ([]byte, error) {
	var room [16]string
	names := room[:0]
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, name)
		b = append(b, ':')
		switch v := m[name].(type) {
		case nil:
			b = append(b, `null`...)
		case string:
			b = appendString(b, v)
		case bool:
			b = strconv.AppendBool(b, v)
		case float64:
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return b, &json.UnsupportedValueError{Str: strconv.FormatFloat(v, 'g', -1, 64)}
			}
			b = appendNumber(b, v)
		default:
			value, err := json.Marshal(v)
			if err != nil {
				return b, err
			}
			b = append(b, value...)
		}
	}
	return append(b, '}'), nil
}
