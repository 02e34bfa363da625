package definitions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"quintet/internal/problem"
)

const noZero = "must not contain the character 0"

// checkText refuses what Postgres does in a text.
func checkText(field, s string) error {
	switch {
	case strings.ContainsRune(s, 0):
		return problem.Invalid{{Field: field, Rule: noZero}}
	case !utf8.ValidString(s):
		return problem.Invalid{{Field: field, Rule: "must be UTF-8"}}
	}
	return nil
}

// checkJSON refuses the character 0 in strings, which JSON has and Postgres does
// not, and names the field.
func checkJSON(body []byte) error {
	if !bytes.Contains(body, []byte(`\u0000`)) {
		return nil // the only way in which encoding/json writes it
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return problem.Invalid{{Rule: "must be JSON: " + err.Error()}}
	}
	var bad problem.Invalid
	findZero(value, "", &bad)
	return bad.Err()
}

func findZero(value any, path string, bad *problem.Invalid) {
	switch v := value.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			bad.Add(path, noZero, nil)
		}
	case []any:
		for i, e := range v {
			findZero(e, fmt.Sprintf("%s[%d]", path, i), bad)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if strings.ContainsRune(key, 0) {
				bad.Add(path, "must not have a field with the character 0 in its name", nil)
			}
			findZero(v[key], problem.Join(path, key), bad)
		}
	}
}
