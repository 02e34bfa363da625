package flags

import (
	"encoding/json"
	"os"
	"testing"

	"quintet/experiments"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// A definition that is accepted is evaluated, and given to SDKs, whatever is in it.
func FuzzFlag(f *testing.F) {
	for _, seed := range []string{
		`{"type": "string", "default": "d", "rules": [{"key": "r", "value": "v", "coverage": 0.5, "condition": {"a": {"$in": [1]}}}]}`,
		`{"type": "json", "default": {}, "prerequisites": [{"flag": "g", "condition": {"value": 1}}], "rules": [{"key": "r", "experiment": "e", "values": {"a": []}}]}`,
		`{"type": "number", "default": 1e308, "enabled": false, "startAt": "2026-01-01T00:00:00Z"}`,
	} {
		f.Add(seed, `{"a": 1}`)
	}
	f.Fuzz(func(t *testing.T, source, context string) {
		var flag Flag
		var fields map[string]any
		if json.Unmarshal([]byte(source), &flag) != nil || json.Unmarshal([]byte(context), &fields) != nil {
			return
		}
		flag.normalise("f")
		if len(flag.validate("f")) > 0 {
			return
		}
		all := map[string]definitions.Versioned[Flag]{"f": {Key: "f", Version: 1, Value: flag}}
		st := Compile(all, experiments.Compile(experiments.Sources{}), nil, nil, noon)
		e, ok := st.Evaluate("f", NewSubject("u", fields, nil), noon, nil, nil)
		if !ok || !json.Valid(e.Answer()) || (e.Value == nil) != (e.Reason == Off) {
			t.Errorf("%+v", e)
		}
		payload, _ := st.Local()
		if _, err := json.Marshal(payload); err != nil {
			t.Error(err)
		}
	})
}
