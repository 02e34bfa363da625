package quality

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"quintet/internal/problem"
)

// applyPatch changes a JSON document as RFC 7386 (JSON merge patch) says: members of
// the patch replace those of the document, null removes one. Numbers stay as they
// are written.
func applyPatch(document []byte, patch json.RawMessage) ([]byte, error) {
	change, err := decodeJSON(patch)
	if err != nil {
		return nil, problem.Invalid{{Field: "patch", Rule: "must be JSON"}}
	}
	if _, ok := change.(map[string]any); !ok {
		return nil, problem.Invalid{{Field: "patch", Rule: "must be an object"}}
	}
	original, err := decodeJSON(document)
	if err != nil {
		original = nil // whatever it was, the patch takes its place
	}
	return json.Marshal(merge(original, change))
}

func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	members, ok := target.(map[string]any)
	if !ok {
		members = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(members, name)
			continue
		}
		members[name] = merge(members[name], value)
	}
	return members
}

var errTrailing = errors.New("there is more text after the value")

func decodeJSON(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // an id of 20 digits must stay what it is
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return value, nil
}
