package bandits

import (
	"fmt"
	"strconv"
	"strings"
)

// FeatureName says what a feature of the vector stands for, for people who read
// a decision: "intercept", "city = Riga", "age [30, 40)", "device missing", or
// the parts of a cross joined by " and ". It returns the index for one outside of
// the vector.
func (e *Encoder) FeatureName(index int) string {
	if index == 0 {
		return "intercept"
	}
	at := uint32(index)
	for _, blocks := range [][]block{e.sharedBlocks, e.actionBlocks} {
		for i := range blocks {
			if b := &blocks[i]; at >= b.offset && at < b.offset+b.width {
				return b.slotName(at - b.offset)
			}
		}
	}
	for _, crosses := range [][]cross{e.sharedCrosses, e.actionCrosses} {
		for _, c := range crosses {
			if name, ok := e.crossName(c, at); ok {
				return name
			}
		}
	}
	return strconv.Itoa(index)
}

func (e *Encoder) crossName(c cross, at uint32) (string, bool) {
	width := uint32(1)
	for _, p := range c.parts {
		width *= p.width
	}
	if at < c.offset || at >= c.offset+width {
		return "", false
	}
	rest := at - c.offset
	names := make([]string, len(c.parts))
	for i := len(c.parts) - 1; i >= 0; i-- {
		p := c.parts[i]
		names[i] = e.FeatureName(int(p.offset + rest%p.width))
		rest /= p.width
	}
	return strings.Join(names, " and "), true
}

func (b *block) slotName(slot uint32) string {
	last := b.width - 1
	if slot == last {
		return b.Name + " missing"
	}
	switch {
	case b.Kind == KindCyclic:
		return b.Name + [2]string{" (sine)", " (cosine)"}[slot]
	case b.Kind == KindCategorical && b.Hash > 0:
		return fmt.Sprintf("%s (hash %d)", b.Name, slot)
	case b.Kind == KindCategorical && slot == last-1:
		return b.Name + " other"
	case b.Kind == KindCategorical:
		return b.Name + " = " + b.Values[slot]
	case len(b.Edges) == 0:
		return b.Name + " (standardised)"
	case slot == 0:
		return fmt.Sprintf("%s < %g", b.Name, b.Edges[0])
	case int(slot) == len(b.Edges):
		return fmt.Sprintf("%s ≥ %g", b.Name, b.Edges[slot-1])
	default:
		return fmt.Sprintf("%s [%g, %g)", b.Name, b.Edges[slot-1], b.Edges[slot])
	}
}
