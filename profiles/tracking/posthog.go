package tracking

import (
	"fmt"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// postHog is a message of PostHog's clients while it is read.
type postHog struct {
	draft
	distinct  string // distinct_id
	before    string // $anon_distinct_id: the name before the person was known
	alias     string
	device    string
	anonymous bool // $is_identified is false
	url       string
	screen    string
	groupType string
	groupKey  string
	group     string // traits of the group
	once      string // traits that count where the person has none
	traits    bool   // $set or $set_once is there
}

// ParsePostHog reads what PostHog's clients send, {"api_key", "batch": […]}, a
// list of events or one event, and turns it into the messages of the tracking
// API. Errors are as with [Call.Parse], under the names that PostHog gives the
// fields.
//
// A distinct_id is the userId, but for one that its client says belongs to a
// device. $identify, $set and $groupidentify become the calls of that name, as do
// $create_alias, $pageview and $screen; every other event is a track call. $set
// and $set_once of any event are traits of the person.
func (c *Call) ParsePostHog(body string, received time.Time) error {
	c.begin(body, received, Large)
	c.postHog = true
	s := &c.scan
	field := "batch"
	var err error
	switch s.peek() {
	case '{':
		err = c.postHogBody()
	case '[':
		field, c.batch = "", true
		err = c.postHogList()
	default:
		return c.notThe("object or array")
	}
	if err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	if c.batch {
		if err := c.checkBatch(field); err != nil {
			return err
		}
	}
	c.complete(c.batch)
	return nil
}

// postHogBody reads a batch, or one event that is there alone.
func (c *Call) postHogBody() error {
	s := &c.scan
	var single postHog
	start := s.at
	err := s.object(func(name string) (err error) {
		switch name {
		case "batch":
			if s.next() != array {
				return c.wrongType("must be an array")
			}
			c.batch = true
			return c.postHogList()
		case "api_key", "apiKey", "token":
			c.WriteKey, err = c.string(MaxMessageID)
		case "sent_at", "sentAt":
			c.sentAt, _, err = c.instant()
		default:
			err = c.postHogField(&single, name)
		}
		return err
	})
	if err != nil || c.batch {
		return err
	}
	single.numbers[1] = len(c.numbers)
	c.postHogDone(&single, start, nil)
	return nil
}

func (c *Call) postHogList() error {
	s := &c.scan
	return s.array(func(i int) error {
		c.seen = i + 1
		if i >= MaxBatch {
			_, err := s.value()
			return err
		}
		if s.next() != object {
			return c.strayElement(i)
		}
		var d postHog
		d.Index, d.numbers[0] = i, len(c.numbers)
		outer := s.faults
		s.faults = nil
		start := s.at
		if err := s.object(func(name string) error { return c.postHogField(&d, name) }); err != nil {
			return err
		}
		d.numbers[1] = len(c.numbers)
		c.postHogDone(&d, start, outer)
		return nil
	})
}

func (c *Call) postHogField(d *postHog, name string) (err error) {
	switch name {
	case "event":
		d.event, err = c.string(MaxEventName)
	case "distinct_id":
		d.distinct, err = c.postHogName()
	case "uuid":
		d.MessageID, err = c.string(MaxMessageID)
	case "timestamp":
		d.stamped, d.timed, err = c.instant()
	case "properties":
		d.Properties, err = c.whole(func(name string) error { return c.postHogProperty(d, name) })
	case "$set", "$set_once":
		err = c.postHogTraits(d, name)
	case "api_key", "token":
		if c.WriteKey == "" {
			c.WriteKey, err = c.string(MaxMessageID)
			break
		}
		_, err = c.scan.value()
	default:
		_, err = c.scan.value()
	}
	return err
}

// postHogName reads an identifier, which may be a number.
func (c *Call) postHogName() (string, error) {
	if c.scan.next() == number {
		return c.scan.number()
	}
	return c.identifier(identity.UserID)
}

func (c *Call) postHogProperty(d *postHog, name string) (err error) {
	switch name {
	case "distinct_id":
		var inner string
		inner, err = c.postHogName()
		if d.distinct == "" {
			d.distinct = inner
		}
	case "$anon_distinct_id":
		d.before, err = c.postHogName()
	case "alias":
		if c.scan.next() != text && c.scan.next() != number {
			_, err = c.scan.value()
			break
		}
		d.alias, err = c.postHogName()
	case "$device_id":
		d.device, err = c.string(identity.MaxValue)
	case "$is_identified":
		var raw string
		raw, err = c.scan.value()
		d.anonymous = raw == "false"
	case "$set", "$set_once":
		err = c.postHogTraits(d, name)
	case "$group_type":
		d.groupType, err = c.string(MaxGroupID)
	case "$group_key":
		d.groupKey, err = c.postHogName()
	case "$group_set":
		if c.scan.next() != object {
			_, err = c.scan.value()
			break
		}
		var email, phone string // of a group, not of a person
		d.group, err = c.traitsObject(&email, &phone)
	case "$current_url":
		d.url, err = c.postHogText()
	case "$screen_name":
		d.screen, err = c.postHogText()
	case "decisionId", "decision_id":
		d.DecisionID, err = c.string(MaxDecisionID)
	case "token":
		if c.WriteKey == "" && c.scan.next() == text {
			c.WriteKey, err = c.string(MaxMessageID)
			break
		}
		_, err = c.scan.value()
	case "name":
		d.named = true
		err = c.numeric("", name, d.numbers[0])
	default:
		err = c.numeric("", name, d.numbers[0])
	}
	return err
}

// postHogText reads a text that is only shown, and passes over other types.
func (c *Call) postHogText() (string, error) {
	if c.scan.next() != text {
		_, err := c.scan.value()
		return "", err
	}
	raw, escaped, err := c.scan.quoted()
	if escaped && err == nil {
		raw = unescape(raw)
	}
	return raw, err
}

func (c *Call) postHogTraits(d *postHog, name string) (err error) {
	if c.scan.next() == null {
		_, err = c.scan.value()
		return err
	}
	d.traits = true
	if name == "$set" {
		d.Traits, err = c.traitsObject(&d.email, &d.phone)
		return err
	}
	var email, phone string
	d.once, err = c.traitsObject(&email, &phone)
	if d.email == "" {
		d.email = email
	}
	if d.phone == "" {
		d.phone = phone
	}
	return err
}

// postHogDone checks a message and keeps it or rejects it; outer are the faults
// of what is around it.
func (c *Call) postHogDone(d *postHog, start int, outer problem.Invalid) {
	s := &c.scan
	d.Raw = s.text[start:s.at]
	if size := len(d.Raw); size > c.limit {
		s.fault(fmt.Sprintf("must not be larger than %d bytes", c.limit), size)
	}
	if len(s.faults) == 0 {
		c.postHogPerson(d)
		c.postHogType(d)
	}
	faults := s.faults
	s.faults = outer
	if len(faults) > 0 {
		c.Rejected = append(c.Rejected, Rejected{Index: d.Index, MessageID: clip(d.MessageID), Errors: faults, Raw: d.Raw})
		if !c.batch {
			c.seen = 1
		}
		return
	}
	if d.MessageID == "" {
		d.MessageID = ulid.Make().String()
	}
	traits := d.Message
	switch {
	case d.Type == Identify:
		d.Once, d.traits = d.once, false
	case d.UserID != "" || d.AnonymousID != "":
		d.Traits, d.Others = d.group, nil // the address and phone belong to the second message
	default:
		d.Traits, d.traits = d.group, false
	}
	c.Messages = append(c.Messages, d.Message)
	if d.traits {
		// What an event says about its person is a call of its own.
		traits.Type, traits.Event, traits.MessageID = Identify, eventNames[Identify], traitsID(d.MessageID)
		traits.Properties, traits.DecisionID, traits.Once = "", "", d.once
		traits.numbers = [2]int{d.numbers[1], d.numbers[1]}
		c.Messages = append(c.Messages, traits)
	}
}

// traitsID is the id of the second message that one event becomes.
func traitsID(messageID string) string { return messageID + "-set" }

// postHogPerson says whose message it is.
func (c *Call) postHogPerson(d *postHog) {
	s := &c.scan
	switch {
	case d.distinct == "":
		s.faultIn("distinct_id", "is required", nil)
		return
	case d.event == "$groupidentify" && d.distinct == "$"+d.groupType+"_"+d.groupKey:
		// Nobody's: the client makes this name up for a group.
		d.Others = []identity.Identifier{{Namespace: "group", Value: d.groupType + "/" + d.groupKey}}
		return
	case d.anonymous || d.distinct == d.device:
		d.AnonymousID = d.distinct
	default:
		d.UserID = d.distinct
	}
	if d.before != "" && d.before != d.distinct && d.AnonymousID == "" {
		d.AnonymousID = d.before
	}
	if d.email != "" {
		d.Others = append(d.Others, identity.Identifier{Namespace: identity.Email, Value: d.email})
	}
	if d.phone != "" {
		d.Others = append(d.Others, identity.Identifier{Namespace: identity.Phone, Value: d.phone})
	}
}

func (c *Call) postHogType(d *postHog) {
	s := &c.scan
	d.Type = Track
	switch d.event {
	case "":
		s.faultIn("event", "is required", nil)
		return
	case "$identify", "$set":
		d.Type, d.Properties = Identify, ""
	case "$create_alias":
		if d.alias == "" || d.UserID == "" {
			s.faultIn("properties.alias", "properties.alias and the distinct_id of a known person are required", nil)
			return
		}
		d.Type, d.AnonymousID = Alias, d.alias
		d.Properties = withMember(d.Properties, "previousId", d.alias)
	case "$groupidentify":
		if d.groupKey == "" {
			s.faultIn("properties.$group_key", "is required", nil)
			return
		}
		d.Type = Group
		d.Properties = withMember(d.Properties, "groupId", d.groupKey)
	case "$pageview":
		d.Type = Page
		if d.url != "" {
			d.Properties = withMember(d.Properties, "url", d.url)
		}
	case "$screen":
		d.Type = Screen
		if d.screen != "" && !d.named {
			d.Properties = withMember(d.Properties, "name", d.screen)
		}
	}
	if d.Event = eventNames[d.Type]; d.Type != Track {
		return
	}
	d.Event = d.event
	for _, reserved := range eventNames {
		if d.Event == reserved {
			s.faultIn("event", "must not be "+strconv.Quote(reserved)+", the name of another kind of call", nil)
		}
	}
}
