package outbound

import (
	"fmt"
	"strings"

	"quintet/internal/problem"
)

// Bounds of what decisions are told of the moment.
const (
	maxContext = 50
	maxKey     = 64
	maxValue   = 1024
)

// CheckContext checks what decisions are to be told.
func CheckContext(bad *problem.Invalid, field string, values map[string]any) {
	if len(values) > maxContext {
		bad.Add(field, fmt.Sprintf("must have at most %d fields", maxContext), len(values))
	}
	for name, value := range values {
		switch v := value.(type) {
		case nil, bool, float64:
		case string:
			if len(v) > maxValue || strings.ContainsRune(v, 0) {
				bad.Add(field+"."+problem.Clip(name), "must be at most 1024 bytes long and without NUL characters", len(v))
			}
		default:
			bad.Add(field+"."+problem.Clip(name), "must be a text, a number, a boolean or null", nil)
		}
		if name == "" || len(name) > maxKey {
			bad.Add(field, "a name must be 1 to 64 bytes long", problem.Clip(name))
		}
	}
}
