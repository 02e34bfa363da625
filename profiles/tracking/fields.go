package tracking

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// draft is a message while its members are read, in whatever order they come.
type draft struct {
	Message
	kind       string // the member "type"
	event      string
	name       string
	category   string
	groupID    string
	previousID string
	original   int64
	originally bool
	email      string
	phone      string
	externals  []identity.Identifier
	own        bool // traits were given beside context.traits
	named      bool // the properties have a name of their own
	sorted     bool // the properties have a category of their own
	context    contextFacts
	server     bool // the channel is "server"
}

// contextFacts is what a context says about the person.
type contextFacts struct {
	externals []identity.Identifier
	traits    string
	email     string
	phone     string
	library   string // text of the name of the client's library
}

// message reads one message; the scanner stands at its brace. kind is the
// type that the route gives, Batch when the message has to say it.
func (c *Call) message(kind Type) error {
	s := &c.scan
	var d draft
	d.Index = max(0, c.seen-1)
	d.numbers[0] = len(c.numbers)
	outer := s.faults
	s.faults = nil
	start := s.at
	if err := s.object(func(name string) error { return c.field(&d, name, kind) }); err != nil {
		return err
	}
	d.numbers[1] = len(c.numbers)
	c.check(&d, kind, s.at-start)
	d.Raw, d.Kind = s.text[start:s.at], kind
	faults := s.faults
	s.faults = outer
	if len(faults) > 0 {
		c.Rejected = append(c.Rejected, Rejected{Index: d.Index, MessageID: clip(d.MessageID), Errors: faults, Raw: d.Raw, Kind: kind})
		return nil
	}
	c.Messages = append(c.Messages, d.Message)
	return nil
}

func (c *Call) field(d *draft, name string, kind Type) (err error) {
	switch name {
	case "type":
		d.kind, err = c.string(MaxEventName)
	case "messageId", "message_id":
		d.MessageID, err = c.string(MaxMessageID)
	case "userId", "user_id":
		d.UserID, err = c.identifier(identity.UserID)
	case "anonymousId", "anonymous_id":
		d.AnonymousID, err = c.identifier(identity.AnonymousID)
	case "previousId", "previous_id":
		d.previousID, err = c.identifier(identity.AnonymousID)
	case "event":
		d.event, err = c.string(MaxEventName)
	case "name":
		d.name, err = c.string(MaxEventName)
	case "category":
		d.category, err = c.string(MaxEventName)
	case "groupId", "group_id":
		d.groupID, err = c.string(MaxGroupID)
	case "timestamp":
		d.stamped, d.timed, err = c.instant()
	case "originalTimestamp", "original_timestamp":
		d.original, d.originally, err = c.instant()
	case "sentAt", "sent_at":
		d.sentAt, _, err = c.instant()
	case "properties":
		d.Properties, err = c.propertiesObject(d)
	case "traits":
		d.own = c.scan.next() == object
		d.Traits, err = c.traitsObject(&d.email, &d.phone)
	case "context":
		d.Context, err = c.contextObject(&d.context)
		d.externals = d.context.externals
	case "writeKey", "write_key":
		if kind == Batch {
			_, err = c.scan.value()
			break
		}
		c.WriteKey, err = c.string(MaxMessageID)
	case "channel":
		var raw string
		raw, err = c.scan.value()
		d.server = raw == `"server"`
	default:
		_, err = c.scan.value()
	}
	return err
}

// whole reads an object whose members go to member and returns its compact
// text; null counts as absent.
func (c *Call) whole(member func(name string) error) (string, error) {
	s := &c.scan
	if s.next() != object {
		return "", c.wrongType("must be an object")
	}
	start, spaces, depth, deepest := s.at, s.spaces, s.depth, s.deepest
	s.deepest = 0
	err := s.object(member)
	if s.deepest-depth > MaxNesting {
		s.fault(fmt.Sprintf("must not nest deeper than %d levels", MaxNesting), nil)
	}
	s.deepest = max(s.deepest, deepest)
	if err != nil {
		return "", err
	}
	return compact(s.text[start:s.at], s.spaces > spaces), nil
}

func (c *Call) propertiesObject(d *draft) (string, error) {
	return c.whole(func(name string) (err error) {
		switch name {
		case "decisionId", "decision_id":
			d.DecisionID, err = c.string(MaxDecisionID)
			return err
		case "name":
			d.named = true
		case "category":
			d.sorted = true
		}
		return c.numeric("", name, d.numbers[0])
	})
}

// numeric passes over one value and notes the numbers in it under their paths.
func (c *Call) numeric(prefix, name string, first int) error {
	s := &c.scan
	switch s.next() {
	case number:
		before := len(s.faults)
		raw, err := s.number()
		if err != nil || len(s.faults) > before || len(c.numbers)-first >= MaxNumbers {
			return err
		}
		value, err := strconv.ParseFloat(raw, 64)
		if err != nil || math.IsInf(value, 0) {
			return nil
		}
		if prefix != "" {
			name = prefix + "." + name
		}
		if len(name) <= MaxEventName {
			c.numbers = append(c.numbers, Number{Path: name, Value: value})
		}
		return nil
	case object:
		if prefix != "" {
			name = prefix + "." + name
		}
		if len(name) > MaxEventName {
			break // no number below can have a path that is short enough
		}
		return s.object(func(inner string) error { return c.numeric(name, inner, first) })
	}
	_, err := s.value()
	return err
}

// traitsObject reads traits and the e-mail address and phone among them. A
// value there that is not an address stays an ordinary trait.
func (c *Call) traitsObject(email, phone *string) (string, error) {
	s := &c.scan
	count := 0
	raw, err := c.whole(func(name string) error {
		count++
		namespace, target := "", email
		// The names of traits are not told apart by case.
		switch {
		case len(name) != len("email"):
		case strings.EqualFold(name, "email"):
			namespace = identity.Email
		case strings.EqualFold(name, "phone"):
			namespace, target = identity.Phone, phone
		}
		if namespace == "" || s.next() != text {
			_, err := s.value()
			return err
		}
		raw, escaped, err := s.quoted()
		if escaped && err == nil {
			raw = unescape(raw)
		}
		if id, broken := identity.Normalise(identity.Identifier{Namespace: namespace, Value: raw}); broken == nil {
			*target = id.Value
		}
		return err
	})
	if count > MaxTraits {
		s.fault(fmt.Sprintf("must not have more than %d members", MaxTraits), count)
	}
	return raw, err
}

func (c *Call) contextObject(facts *contextFacts) (string, error) {
	return c.whole(func(name string) (err error) {
		switch {
		case name == "externalIds", name == "external_ids":
			facts.externals, err = c.externalIDs()
		case name == "traits" && c.scan.next() == object:
			facts.traits, err = c.traitsObject(&facts.email, &facts.phone)
		case name == "library" && c.scan.next() == object:
			err = c.scan.object(func(name string) error {
				raw, err := c.scan.value()
				if name == "name" {
					facts.library = raw
				}
				return err
			})
		default:
			_, err = c.scan.value()
		}
		return err
	})
}

// externalIDs reads context.externalIds: [{"id":"7","type":"card"}].
func (c *Call) externalIDs() ([]identity.Identifier, error) {
	s := &c.scan
	if s.next() != array {
		return nil, c.wrongType("must be an array")
	}
	var ids []identity.Identifier
	err := s.array(func(i int) error {
		if i == MaxOthers {
			s.fault(fmt.Sprintf("must not have more than %d elements", MaxOthers), nil)
		}
		if i >= MaxOthers || s.next() != object {
			return c.wrongType("must be an object")
		}
		var id identity.Identifier
		before := len(s.faults)
		err := s.object(func(name string) (err error) {
			switch name {
			case "id":
				id.Value, err = c.string(identity.MaxValue)
			case "type":
				id.Namespace, err = c.string(identity.MaxNamespace)
			default:
				_, err = s.value()
			}
			return err
		})
		if err != nil || len(s.faults) > before {
			return err
		}
		switch id.Namespace {
		case identity.UserID, identity.AnonymousID, "user_id", "anonymous_id":
			s.fault("must not be of the type "+id.Namespace+": use the field userId or anonymousId", nil)
			return nil
		}
		normal, broken := identity.Normalise(id)
		if broken != nil {
			s.fault(broken.Error(), id.String())
			return nil
		}
		ids = append(ids, normal)
		return nil
	})
	return ids, err
}

// goLibrary is how RudderStack's client for Go names itself. Unlike Segment's,
// which has the same name, it says that its channel is "server", and it makes up
// an anonymousId for every call but identify: beside a userId such a name stands
// for nobody and would only be collected.
const goLibrary = `"analytics-go"`

// check applies the rules that need the whole message and completes it.
func (c *Call) check(d *draft, kind Type, size int) {
	s := &c.scan
	if size > c.limit {
		s.fault(fmt.Sprintf("must not be larger than %d bytes", c.limit), size)
	}
	d.Type = kind
	if kind == Batch || d.kind != "" {
		t, ok := ParseType(d.kind)
		switch {
		case !ok:
			s.faultIn("type", "must be one of track, identify, page, screen, group, alias", d.kind)
		case kind != Batch && t != kind:
			s.faultIn("type", "must be "+kind.String()+", as the route says", d.kind)
		}
		d.Type = t
	}
	if !d.timed && d.originally {
		d.timed, d.stamped = true, d.original
	}
	if d.Type == Identify && !d.own {
		d.Traits, d.email, d.phone = d.context.traits, d.context.email, d.context.phone
	}
	d.Others = d.externals
	if d.Type == Identify {
		if d.email != "" {
			d.Others = append(d.Others, identity.Identifier{Namespace: identity.Email, Value: d.email})
		}
		if d.phone != "" {
			d.Others = append(d.Others, identity.Identifier{Namespace: identity.Phone, Value: d.phone})
		}
	}
	if d.server && d.UserID != "" && d.Type != Identify && d.context.library == goLibrary {
		d.AnonymousID = ""
	}
	if d.UserID == "" && d.AnonymousID == "" && len(d.externals) == 0 && !named(s.faults) {
		s.faultIn("userId", "userId, anonymousId or an external id is required", nil)
	}
	c.byType(d)
}

// named says that a fault is about an identifier already, so that "required"
// beside "too long" would only confuse.
func named(faults problem.Invalid) bool {
	for _, f := range faults {
		if strings.HasSuffix(f.Field, "userId") || strings.HasSuffix(f.Field, "anonymousId") || strings.Contains(f.Field, "externalIds") {
			return true
		}
	}
	return false
}

func (c *Call) byType(d *draft) {
	s := &c.scan
	d.Event = eventNames[d.Type]
	switch d.Type {
	case Track:
		d.Event = strings.TrimSpace(d.event)
		if d.Event == "" {
			if len(s.faults) == 0 {
				s.faultIn("event", "is required", nil)
			}
			return
		}
		for _, reserved := range eventNames {
			if d.Event == reserved {
				s.faultIn("event", "must not be "+reserved+", the name of another kind of call", nil)
			}
		}
		d.Traits = ""
	case Page, Screen:
		d.Traits = ""
		if d.name != "" && !d.named {
			d.Properties = withMember(d.Properties, "name", d.name)
		}
		if d.category != "" && !d.sorted {
			d.Properties = withMember(d.Properties, "category", d.category)
		}
	case Group:
		if d.groupID == "" {
			s.faultIn("groupId", "is required", nil)
			return
		}
		d.Properties = withMember(d.Properties, "groupId", d.groupID)
	case Alias:
		if d.previousID == "" || d.UserID == "" {
			s.faultIn("previousId", "previousId and userId are required", nil)
			return
		}
		// The person was known by the previous id and is known by userId from now on:
		// the same rule as for a visitor who signs in.
		d.AnonymousID = d.previousID
		d.Properties = withMember(d.Properties, "previousId", d.previousID)
	case Identify, Batch:
	}
}

// withMember adds one text member to a compact object.
func withMember(object, name, value string) string {
	quoted, err := json.Marshal(value)
	if err != nil {
		return object
	}
	member := `"` + name + `":` + string(quoted)
	if object == "" || object == "{}" {
		return "{" + member + "}"
	}
	return object[:len(object)-1] + "," + member + "}"
}
