package tracking

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"quintet/internal/problem"
)

// maxParameters bounds the parameters of an address that are a message.
const maxParameters = 200

// FromQuery makes the JSON text of a message of the parameters of an address, as
// an image in a mail or a page carries them: properties.sku=42 becomes
// {"properties":{"sku":"42"}}. All values are texts. base is a JSON object that
// the parameters are put into, or "". The error is a [problem.Invalid] under the
// names of the parameters.
func FromQuery(values url.Values, base string) (string, error) {
	message := map[string]any{}
	var bad problem.Invalid
	if base != "" {
		decoder := json.NewDecoder(strings.NewReader(base))
		decoder.UseNumber() // an id of 20 digits must stay what it is
		if err := decoder.Decode(&message); err != nil || message == nil || decoder.More() || !utf8.ValidString(base) {
			return "", problem.Invalid{{Field: "query.data", Rule: "must be a JSON object in base64"}}
		}
	}
	if len(values) > maxParameters {
		return "", problem.Invalid{{Field: "query", Rule: fmt.Sprintf("must not have more than %d parameters", maxParameters), Value: len(values)}}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name][0]
		field := "query." + strings.ToValidUTF8(problem.Clip(name), "\uFFFD")
		if !utf8.ValidString(value) || !utf8.ValidString(name) {
			bad.Add(field, "must be valid UTF-8", nil)
			continue
		}
		if rule := place(message, name, value); rule != "" {
			bad.Add(field, rule, value)
		}
	}
	if err := bad.Err(); err != nil {
		return "", err
	}
	text, err := json.Marshal(message)
	if err != nil {
		return "", fmt.Errorf("encoding the parameters as a message: %w", err)
	}
	return string(text), nil
}

// place sets the member of a path with dots; it returns the rule that is broken.
func place(message map[string]any, path, value string) string {
	steps := strings.Split(path, ".")
	if len(steps) > MaxNesting {
		return fmt.Sprintf("must not nest deeper than %d levels", MaxNesting)
	}
	at := message
	for i, step := range steps {
		if step == "" {
			return "must be the name of a field, with single dots between levels"
		}
		if i == len(steps)-1 {
			if _, isObject := at[step].(map[string]any); isObject {
				return "is the name of an object whose members are given, too"
			}
			at[step] = value
			return ""
		}
		next, isObject := at[step].(map[string]any)
		if !isObject {
			if _, taken := at[step]; taken {
				return "is a member of something that has a value of its own"
			}
			next = map[string]any{}
			at[step] = next
		}
		at = next
	}
	return ""
}
