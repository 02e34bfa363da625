package segments

import (
	"strings"
	"time"

	"quintet/profiles/identity"
)

// Limits of a rule.
const (
	MaxNodes  = 1000 // conditions and groups
	MaxDepth  = 64   // levels of groups
	MaxValues = 1000 // members of a list of values
	MaxText   = 1024 // characters of a text
	MaxWhere  = 20   // filters of one event
	MaxSteps  = 5    // of a sequence
	MaxName   = 256  // characters of the name of a trait, an event, a property
)

// MaxSpan is the longest window.
const MaxSpan = 3660 * 24 * time.Hour

// Rule is a parsed rule. It is not changed after [Rule.Bind] and safe for
// concurrent use.
type Rule struct {
	root     node
	patterns []*Pattern
	reads    Reads
	nodes    int
}

// Reads says what the answer of a rule depends on.
type Reads struct {
	// Traits, Attributes, Profile, Identifiers and Consents say that some condition
	// reads them.
	Traits, Attributes, Profile, Identifiers, Consents bool
	// Segments are the keys of the segments that it refers to, each once, with the
	// path of the first reference.
	Segments []Reference
	// Events are the names of events, each once.
	Events []string
	// Timed says that the answer can change with time alone.
	Timed bool
}

// Reference is a segment that a rule names.
type Reference struct{ Key, Path string }

// Reads says what the rule depends on.
func (r *Rule) Reads() Reads { return r.reads }

// Nodes is the number of conditions and groups.
func (r *Rule) Nodes() int { return r.nodes }

// Patterns are the kinds of occurrence that the rule looks at. They are those
// of this rule alone: an equal pattern of another rule has the same [Pattern.Key].
func (r *Rule) Patterns() []*Pattern { return r.patterns }

// Bind gives every pattern the slot under which [History.Series] will be asked.
// It is called once, before the rule is used.
func (r *Rule) Bind(slot func(*Pattern) int) {
	for _, p := range r.patterns {
		p.slot = slot(p)
	}
}

// Match says whether the person fulfils the rule at the instant now.
func (r *Rule) Match(s *Subject, now time.Time) bool { return r.root.match(s, now.UnixMilli()) }

// Subject is one person as a rule sees them.
type Subject struct {
	// Traits and Attributes by name: string, float64, bool, nil, []any or
	// map[string]any.
	Traits, Attributes map[string]any
	Identifiers        []Identifier
	Consents           []Consent
	CreatedAt          int64 // Unix milliseconds
	LastSeenAt         int64
	EventCount         uint64
	// History tells what the person did; nil is nothing.
	History History
	// Segments tells which segments the person is in; nil is none.
	Segments Membership
}

// Identifier is one name of a person.
type Identifier = identity.Identifier

// AnyOther is the purpose, or channel, of a [Consent] that holds for all that have
// none of their own.
const AnyOther = "*"

// Unknown is the status of a consent of which nothing is known.
const Unknown = "unknown"

// Consent is the state of the consent to a purpose, and over a channel when there
// is one. A person has at most one of a purpose and channel.
type Consent struct{ Purpose, Channel, Status string }

// History tells the occurrences of a pattern for one person.
type History interface {
	// Series are the occurrences of the pattern with the slot, in order of time.
	Series(slot int) []Occurrence
}

// Occurrence is one event that fits a pattern.
type Occurrence struct {
	At    int64   // Unix milliseconds
	Value float64 // of the pattern's property; 0 when it has none
}

// Membership tells whether the person is in a segment.
type Membership interface {
	Member(segment string) bool
}

// node is a condition or a group.
type node interface {
	match(s *Subject, now int64) bool
	sql(b *Builder) string
}

type allNode struct{ nodes []node }

func (n *allNode) match(s *Subject, now int64) bool {
	for _, c := range n.nodes {
		if !c.match(s, now) {
			return false
		}
	}
	return true
}

type anyNode struct{ nodes []node }

func (n *anyNode) match(s *Subject, now int64) bool {
	for _, c := range n.nodes {
		if c.match(s, now) {
			return true
		}
	}
	return false
}

type notNode struct{ node node }

func (n *notNode) match(s *Subject, now int64) bool { return !n.node.match(s, now) }

type traitNode struct {
	name name
	test test
}

func (n *traitNode) match(s *Subject, now int64) bool { return n.test.match(n.name.of(s.Traits), now) }

type attributeNode struct {
	name name
	test test
}

func (n *attributeNode) match(s *Subject, now int64) bool {
	return n.test.match(n.name.of(s.Attributes), now)
}

// name is that of a trait or attribute, or a path to a member of one that is
// an object.
type name struct {
	text string
	path []string // nil without dots
}

func newName(text string) name {
	n := name{text: text}
	if strings.Contains(text, ".") {
		n.path = strings.Split(text, ".")
	}
	return n
}

// of finds the value among traits or attributes, nil when it is missing.
func (n *name) of(values map[string]any) any {
	v, ok := values[n.text]
	if ok || n.path == nil {
		return v
	}
	v = values[n.path[0]]
	for _, member := range n.path[1:] {
		o, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = o[member]
	}
	return v
}

// profileNode asks for a field that every profile has.
type profileNode struct {
	field string
	test  test
}

const (
	fieldCreated = "createdAt"
	fieldSeen    = "lastSeenAt"
	fieldEvents  = "eventCount"
)

func (n *profileNode) match(s *Subject, now int64) bool {
	switch n.field {
	case fieldCreated:
		return n.test.matchDate(s.CreatedAt, now)
	case fieldSeen:
		return n.test.matchDate(s.LastSeenAt, now)
	default:
		return n.test.matchNumber(float64(s.EventCount))
	}
}

type identifierNode struct {
	namespace string
	test      test
}

func (n *identifierNode) match(s *Subject, _ int64) bool {
	for i := range s.Identifiers {
		if s.Identifiers[i].Namespace != n.namespace {
			continue
		}
		if n.test.op == opMissing {
			return false
		}
		if n.test.op == opExists || n.test.matchText(s.Identifiers[i].Value) {
			return true
		}
	}
	return n.test.op == opMissing
}

type consentNode struct{ Consent }

func (n *consentNode) match(s *Subject, _ int64) bool {
	return n.status(s.Consents) == n.Status
}

// status is that of the purpose, or of those without one of their own; and of
// that, the one of the channel, or of those without one of their own.
func (n *consentNode) status(list []Consent) string {
	purpose := AnyOther
	for i := range list {
		if list[i].Purpose == n.Purpose {
			purpose = n.Purpose
			break
		}
	}
	status := Unknown
	for i := range list {
		c := &list[i]
		if c.Purpose != purpose {
			continue
		}
		if c.Channel == n.Channel {
			return c.Status
		}
		if n.Channel != "" && c.Channel == AnyOther {
			status = c.Status
		}
	}
	return status
}

type segmentNode struct{ key string }

func (n *segmentNode) match(s *Subject, _ int64) bool {
	return s.Segments != nil && s.Segments.Member(n.key)
}
