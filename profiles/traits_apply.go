package profiles

import (
	"encoding/json"
	"maps"
	"strings"
	"sync"

	"quintet/profiles/traits"
)

// learn takes in the traits of an identify message. What counts of them is chosen
// by the rules of each trait, whatever the order in which messages arrive. null is a
// value too and stands for "no longer known".
func (s *Store) learn(st *state, h *recordHeader, it *item, names *interner, c *changes) {
	var told map[string]any
	if err := json.Unmarshal([]byte(it.traits), &told); err != nil {
		c.refused++ // the tracking API let it through, so this cannot happen to a sound record
		return
	}
	next := st.record
	out := next.Learn(names.traits(told), traits.At(it.time, it.index), names.origin(h.source, confidenceIn(it.context)), s.rules.Load())
	c.refused += out.Refused
	if len(out.Rejected) > 0 {
		c.rejected += uint64(len(out.Rejected))
		s.rejections.add(out.Rejected)
	}
	if !out.Stored {
		return
	}
	size := st.traitBytes + int32(len(it.traits))
	if size > traits.MaxBytes {
		// Exact only when it matters: encoding the traits for every message would cost more
		// than the rest of the projection.
		encoded, err := json.Marshal(next.Golden())
		if err != nil || len(encoded) > traits.MaxBytes {
			c.refused++
			return
		}
		size = int32(len(encoded))
		c.refused += next.Fit(traits.MaxBytes)
	}
	st.traitBytes, st.record = size, next
	if out.Changed {
		st.updated = max(st.updated, h.received)
		c.traitsChanged = true
	}
	c.mark(st, dirtCard)
}

// confidenceIn is context.confidence in thousandths: how sure the source is of the
// traits that it sends, between 0 and 1.
func confidenceIn(context string) int16 {
	if !strings.Contains(context, `"confidence"`) {
		return traits.Unsaid
	}
	var said struct {
		Confidence any `json:"confidence"`
	}
	if err := json.Unmarshal([]byte(context), &said); err != nil {
		return traits.Unsaid
	}
	value, ok := said.Confidence.(float64)
	if !ok || value < 0 || value > 1 {
		return traits.Unsaid
	}
	return traits.Thousandths(value)
}

// rejections counts by trait. Only declared traits are in it.
type rejections struct {
	mu     sync.Mutex
	counts map[string]uint64
}

func (r *rejections) add(names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]uint64{}
	}
	for _, name := range names {
		r.counts[name]++
	}
}

// TraitRejections is how many values broke the declaration of their trait since the
// start, by trait.
func (s *Store) TraitRejections() map[string]uint64 {
	s.rejections.mu.Lock()
	defer s.rejections.mu.Unlock()
	return maps.Clone(s.rejections.counts)
}
