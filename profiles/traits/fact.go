package traits

import (
	"cmp"
	"encoding/json"
	"strings"
)

// Moment orders facts: the time at which they were true and, for those of one
// millisecond, their place in the call that brought them.
type Moment int64

// placeBits hold the place of a message in its call, which has fewer than 4096.
const placeBits = 12

// At is the moment of a message: its time in Unix milliseconds and its index in
// the call.
func At(milliseconds int64, index uint32) Moment {
	return Moment(milliseconds<<placeBits | int64(min(index, 1<<placeBits-1)))
}

// Milliseconds is the time, in Unix milliseconds.
func (m Moment) Milliseconds() int64 { return int64(m) >> placeBits }

// Index is the place of the message in its call.
func (m Moment) Index() uint32 { return uint32(m) & (1<<placeBits - 1) }

// Unsaid is the confidence of an origin that states none: that of the
// declaration of the trait counts then.
const Unsaid = -1

// Origin is where facts come from. Facts share it, so it must not be changed.
type Origin struct {
	// Source is the id of an API key, "user:" and the id of a person who edited by
	// hand, or the name of another source.
	Source string
	// Confidence is how sure the source was, in thousandths, or [Unsaid].
	Confidence int16
}

// HandPrefix begins the source of what people edit by hand.
const HandPrefix = "user:"

var nobody = &Origin{Confidence: Unsaid}

// Fact is what one source said about one trait.
type Fact struct {
	Name   string
	Value  any // as it came, of the types of encoding/json; nil for "no longer known"
	At     Moment
	Origin *Origin
}

// later orders two facts about one trait: by moment, then by confidence, source
// and value, so that two different facts are never equal. It is positive when a
// is the later one.
func later(a, b *Fact) int {
	if c := cmp.Compare(a.At, b.At); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Origin.Confidence, b.Origin.Confidence); c != 0 {
		return c
	}
	if c := strings.Compare(a.Origin.Source, b.Origin.Source); c != 0 {
		return c
	}
	return strings.Compare(valueText(a.Value), valueText(b.Value))
}

// valueText is one text for each value.
func valueText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "" // not reached: values were read from JSON
	}
	return string(text)
}

func sameOrigin(a, b *Origin) bool { return a == b || *a == *b }
