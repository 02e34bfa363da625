package decide

import (
	"context"
	"time"

	"quintet/models/bandits"
	"quintet/profiles"
)

// scratch is the memory that one decision reuses from another. Nothing of it may be
// kept when it is given back.
type scratch struct {
	body []byte // of the request
	req  Request
	ids  []profiles.Identifier

	rec       Record
	traits    map[string]any
	audience  map[string]any
	subject   subject
	actions   []int     // candidates, as indices into the point's actions
	verdicts  []verdict // about channels
	permits   permission
	x         bandits.Vector
	workspace bandits.Workspace
	// treatments are those that a predictive model is asked about; the others are
	// distributions.
	treatments       []string
	chosen, composed []float64
	stages           [3][]float64
	bounding         bounding
	data             []byte // the encoded record

	deadline deadline
	answer   answer
	out      []byte // the answer as JSON
}

// begin empties the record and keeps the room of its lists.
func (sc *scratch) begin() *Record {
	was := &sc.rec
	clear(sc.traits)
	clear(sc.audience)
	sc.rec = Record{
		Items: was.Items[:0], Removed: was.Removed[:0], Probabilities: was.Probabilities[:0],
		FeatureIndex: was.FeatureIndex[:0], FeatureValue: was.FeatureValue[:0], Excluded: was.Excluded[:0],
		Charges: was.Charges[:0], Values: was.Values[:0], Slots: was.Slots[:0], SlotProbabilities: was.SlotProbabilities[:0],
	}
	return &sc.rec
}

// answer is a response in one piece with what it points to.
type answer struct {
	Response
	what       What
	where      Where
	when       When
	how        How
	items      []Item
	enrolments []Enrolment
}

// deadline is a context that ends after a time and not with its parent. Unlike those
// of the standard library it can be used again, and costs a timer only when somebody
// waits for it.
type deadline struct {
	parent context.Context // for values
	at     time.Time
	done   chan struct{}
	timer  *time.Timer
	armed  bool
}

// begin starts the time. One goroutine uses the context until end.
func (d *deadline) begin(parent context.Context, limit time.Duration) {
	d.parent, d.at = parent, time.Now().Add(limit)
}

// end lets go of the parent; nobody may wait any more.
func (d *deadline) end() {
	d.parent = nil
	if d.armed && !d.timer.Stop() {
		d.done, d.timer = nil, nil // closed, or about to be
	}
	d.armed = false
}

// Deadline is when the time is over.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done is closed when the time is over.
func (d *deadline) Done() <-chan struct{} {
	if !d.armed {
		d.armed = true
		if d.timer == nil {
			done := make(chan struct{})
			d.done = done
			d.timer = time.AfterFunc(time.Until(d.at), func() { close(done) })
		} else {
			d.timer.Reset(time.Until(d.at))
		}
	}
	return d.done
}

// Err agrees with Done.
func (d *deadline) Err() error {
	if d.armed {
		select {
		case <-d.done:
			return context.DeadlineExceeded
		default:
			return nil
		}
	}
	if time.Now().Before(d.at) {
		return nil
	}
	return context.DeadlineExceeded
}

// Value is the parent's.
func (d *deadline) Value(key any) any { return d.parent.Value(key) }
