package attributes

import (
	"math"
	"time"
)

// sharer makes the attributes of many people share what they have in common. It
// is guarded by the service's lock.
type sharer struct {
	texts   map[string]any
	keys    map[string]string
	numbers [1024]any
}

const (
	maxShared      = 1 << 16
	maxSharedBytes = 64
)

func newSharer() *sharer {
	s := &sharer{texts: map[string]any{}, keys: map[string]string{}}
	for i := range s.numbers {
		s.numbers[i] = float64(i)
	}
	for key := range builtInByKey {
		s.keys[key] = key
	}
	return s
}

func (s *sharer) key(key string) string {
	if shared, ok := s.keys[key]; ok {
		return shared
	}
	if len(s.keys) < maxShared {
		s.keys[key] = key
	}
	return key
}

func (s *sharer) value(v any) any {
	switch v := v.(type) {
	case float64:
		if v >= 0 && v < float64(len(s.numbers)) && v == math.Trunc(v) && !math.Signbit(v) {
			return s.numbers[int(v)]
		}
	case string:
		if shared, ok := s.texts[v]; ok {
			return shared
		}
		if len(v) <= maxSharedBytes && len(s.texts) < maxShared {
			s.texts[v] = v
		}
	case []any:
		for i := range v {
			v[i] = s.value(v[i])
		}
	}
	return v
}

// compact is what memory keeps of attributes: those that decisions and segments
// read, in a map that is no larger than it must be.
func (s *sharer) compact(attributes map[string]any) map[string]any {
	n := 0
	for key := range attributes {
		if b := builtInByKey[key]; b == nil || b.Memory {
			n++
		}
	}
	out := make(map[string]any, n)
	for key, v := range attributes {
		switch b := builtInByKey[key]; {
		case b == nil && !isNumber(v):
			out[s.key(key)] = v // it may be something personal, which must go with the person
		case b == nil || b.Memory:
			out[s.key(key)] = s.value(v)
		}
	}
	return out
}

// passed brings attributes that count days up to date with the time since they
// were computed.
func passed(attributes map[string]any, since time.Duration) {
	if since <= 0 {
		return
	}
	for _, name := range []string{"daysSinceFirstOrder", "daysSinceLastOrder", "daysSinceLastSeen"} {
		if days, ok := attributes[name].(float64); ok {
			attributes[name] = days + float64(int64(since/(24*time.Hour)))
		}
	}
}

func isNumber(v any) bool {
	_, is := v.(float64)
	return is
}
