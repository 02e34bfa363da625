package profiles

import (
	"encoding/json"
	"strings"

	"quintet/profiles/consents"
	"quintet/profiles/tracking"
)

// bannerStep is how exact the time of what a banner says is kept, in milliseconds:
// it is said again with every event.
const bannerStep = 60_000

// consentRow is a statement on its way to Postgres, with what memory does not keep.
type consentRow struct {
	statement consents.Statement
	profile   *state
	messageID string
	proof     string // a JSON object
}

// consent takes in what a message states about consent.
func (s *Store) consent(st *state, h *recordHeader, it *item, names *interner, c *changes) {
	if it.kind == tracking.Track && consents.Speaks(it.event) {
		told, err := consents.ParseEvent(it.event, it.properties, it.context)
		if err != nil {
			c.unclear++
		} else {
			s.state(st, &told, it.time, h, it, names, c)
		}
	}
	if !consents.InBanner(it.context) {
		return
	}
	told, left := consents.ParseBanner(it.context)
	c.unclear += uint64(left)
	for i := range told {
		s.state(st, &told[i], it.time/bannerStep*bannerStep, h, it, names, c)
	}
}

// state adds one statement.
func (s *Store) state(st *state, told *consents.Told, at int64, h *recordHeader, it *item, names *interner, c *changes) {
	one := consents.Statement{
		Key: names.consentKey(told.Key), Status: told.Status, Confirmed: told.Confirmed, At: at, Expires: told.Expires,
		Source: &names.origin(h.source, 0).Source,
	}
	next, changed, full := st.stated().With(one)
	if full {
		c.unclear++
	}
	if !changed {
		return
	}
	proof, err := json.Marshal(told.Proof)
	if err != nil {
		proof = []byte("{}") // not reached: it is a few texts
	}
	st.consents = &next
	c.consents = append(c.consents, consentRow{one, st, strings.Clone(it.messageID), string(proof)})
	c.consentsChanged = true
	c.mark(st, dirtSeen)
}

// stated is what the profile states.
func (st *state) stated() consents.Set {
	if st.consents == nil {
		return nil
	}
	return *st.consents
}
