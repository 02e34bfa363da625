package outbound

import (
	"context"
	"fmt"
	"time"

	"quintet/decide"
	"quintet/profiles"
	"quintet/profiles/identity"
)

// People are those who can be contacted, in memory.
type People interface {
	// GetPerson is the person to whom a profile belongs.
	GetPerson(id identity.ID) (*profiles.View, bool)
	// PersonOf is the id of that person.
	PersonOf(id identity.ID) identity.ID
	// Members are the profiles of a person.
	Members(person identity.ID) []identity.ID
	// Resolve is the profile that identifiers lead to, or would.
	Resolve(ids []profiles.Identifier) string
	// EachPerson calls f with everybody, until it returns false.
	EachPerson(f func(*profiles.View) bool)
	// MayContact says whether a contact is allowed, and if not, by which rule.
	MayContact(view *profiles.View, ids []profiles.Identifier, c profiles.Contact) (rule string, ok bool)
}

// Decider decides; it is [decide.Service].
type Decider interface {
	Decide(ctx context.Context, req *decide.Request, source string) (*decide.Response, error)
	// Preview is the record of a decision that is not made.
	Preview(ctx context.Context, req *decide.Request, source string) (*decide.Record, error)
	// Release gives back what a decision reserved under caps and budgets; doing it again
	// changes nothing.
	Release(ctx context.Context, decisionID string) error
	// HasPoint and Class are about a decision point.
	HasPoint(key string) bool
	Class(key string) string
	// Window is how long a message waits before it goes out, so that a more valuable one
	// can take its place.
	Window(class, channel, offer string) time.Duration
	// Expected is what a candidate of a record is expected to be worth before costs; false
	// where nothing is known of it.
	Expected(rec *decide.Record, candidate int) (value float64, known bool)
	// Channel is a channel of actions.
	Channel(key string) (decide.Channel, bool)
}

// Outcome is what became of a person.
type Outcome string

// The outcomes.
const (
	OutcomeWaiting    Outcome = "waiting"    // not looked at yet
	OutcomeQueued     Outcome = "queued"     // a message was stored for delivery
	OutcomeNobody     Outcome = "nobody"     // the decision was to send nothing
	OutcomeHoldout    Outcome = "holdout"    // held out of all advertising
	OutcomeIneligible Outcome = "ineligible" // no action was left
	OutcomeNoConsent  Outcome = "no-consent" // the basis does not hold for this person
	OutcomeDuplicate  Outcome = "duplicate"  // the person has a message by another of their profiles
	OutcomeGone       Outcome = "gone"       // there is no such person any more
	OutcomeFailed     Outcome = "failed"     // no decision could be made, after several attempts
)

// Outcomes are all of them, in the order in which they are shown.
func Outcomes() []Outcome {
	return []Outcome{OutcomeWaiting, OutcomeQueued, OutcomeNobody, OutcomeHoldout, OutcomeIneligible, OutcomeNoConsent, OutcomeDuplicate, OutcomeGone, OutcomeFailed}
}

// Ask is a question about one person.
type Ask struct {
	Person  string // id of one of the profiles
	Point   string // key of the decision point
	Source  string // what asks, for the record
	Context map[string]any
	Consent Consent
	// Clock is the time of day of sending in the person's time zone; "" is as decided.
	Clock string
	// Zone is that of people of whom none is known; nil is UTC.
	Zone *time.Location
}

// Verdict is what became of an [Ask].
type Verdict struct {
	Outcome Outcome
	Reason  string // a rule or a word, "" when there is nothing to add
	// Again says that the decision could not be made now.
	Again bool
	// Message is what is to be sent, without key and origin; nil when nothing is.
	Message  *Message
	Response *decide.Response // nil when nobody decided
	Cost     float64          // of the contact
}

// Judge decides about people who did not ask.
type Judge struct {
	people  People
	decider Decider
	zones   zones
	now     func() time.Time
}

// NewJudge makes a judge; now is its clock.
func NewJudge(people People, decider Decider, now func() time.Time) *Judge {
	return &Judge{people: people, decider: decider, now: now}
}

// maxUser is how many identifiers of a person a decision is asked with.
const maxUser = 16

// User are the identifiers of a person as a decision takes them: the first of each
// namespace, 16 at most.
func User(view *profiles.View) map[string]string {
	user := make(map[string]string, 4)
	for _, id := range view.Identifiers {
		if _, there := user[id.Namespace]; !there && len(user) < maxUser {
			user[id.Namespace] = id.Value
		}
	}
	return user
}

// find is the person, with their id.
func (j *Judge) find(text string) (*profiles.View, string, bool) {
	id, ok := identity.ParseID(text)
	if !ok {
		return nil, "", false
	}
	view, ok := j.people.GetPerson(id)
	if !ok || len(view.Identifiers) == 0 {
		return nil, "", false
	}
	return view, j.people.PersonOf(id).String(), true
}

// Decide decides about a person. An error is the caller's doing or a broken
// definition; whatever can pass by itself is a verdict with Again.
func (j *Judge) Decide(ctx context.Context, ask Ask) (Verdict, error) {
	view, person, ok := j.find(ask.Person)
	if !ok {
		return Verdict{Outcome: OutcomeGone}, nil
	}
	resp, err := j.decider.Decide(ctx, &decide.Request{Decision: ask.Point, User: User(view), Context: ask.Context}, ask.Source)
	if err != nil {
		return Verdict{}, fmt.Errorf("deciding about a person at %s: %w", ask.Point, err)
	}
	v := Verdict{Response: resp}
	switch {
	case resp.Fallback:
		// Such a decision is not in the log, so nothing may follow of it.
		v.Outcome, v.Again, v.Reason = OutcomeFailed, true, resp.Reason
		return v, j.GiveBack(ctx, resp)
	case !resp.Who.Eligible:
		v.Outcome = OutcomeIneligible
		if resp.Who.Group == decide.GroupHoldout {
			v.Outcome = OutcomeHoldout
		}
		if len(resp.Who.Reasons) > 0 {
			v.Reason = resp.Who.Reasons[0]
		}
		return v, nil
	case resp.Where == nil || resp.What == nil:
		v.Outcome = OutcomeNobody
		return v, nil
	}
	channel, known := j.decider.Channel(resp.Where.Channel)
	if !known {
		v.Outcome, v.Reason = OutcomeIneligible, "channel-unknown"
		return v, j.GiveBack(ctx, resp)
	}
	if rule, ok := j.allowed(view, resp.Where.Channel, &channel, ask.Consent); !ok {
		v.Outcome, v.Reason = OutcomeNoConsent, rule
		return v, j.GiveBack(ctx, resp)
	}
	v.Outcome, v.Cost = OutcomeQueued, channel.ContactCost
	v.Message = j.message(ask, view, person, resp)
	return v, nil
}

// GiveBack releases what a decision reserved whose message is not sent.
func (j *Judge) GiveBack(ctx context.Context, resp *decide.Response) error {
	if resp.Where == nil {
		return nil
	}
	if err := j.decider.Release(ctx, resp.DecisionID); err != nil {
		return fmt.Errorf("giving back what decision %s reserved: %w", resp.DecisionID, err)
	}
	return nil
}

// allowed asks for the consent on which the campaign rests, whatever the channel's
// own definition asks for.
func (j *Judge) allowed(view *profiles.View, key string, channel *decide.Channel, c Consent) (rule string, ok bool) {
	return j.people.MayContact(view, view.Identifiers, profiles.Contact{
		Channel: key, Namespace: channel.Addresses(), Purpose: c.Purpose, Required: c.Basis == BasisConsent,
		Service: c.Basis == BasisService, At: j.now(),
	})
}

func (j *Judge) message(ask Ask, view *profiles.View, person string, resp *decide.Response) *Message {
	now := j.now()
	m := &Message{
		Person: person, ProfileID: resp.Who.ProfileID, DecisionID: resp.DecisionID, Decision: ask.Point, Class: j.decider.Class(ask.Point),
		Basis: ask.Consent.Basis, Purpose: ask.Consent.Purpose, Offer: resp.What.Offer, Channel: resp.Where.Channel, Items: []string{},
		SendAt: now, ExpiresAt: resp.ExpiresAt,
	}
	for _, item := range resp.What.Items {
		m.Items = append(m.Items, item.ID)
	}
	if resp.How != nil {
		m.Creative = resp.How.Creative
	}
	life := resp.ExpiresAt.Sub(now)
	if wait := j.decider.Window(m.Class, m.Channel, m.Offer); wait > 0 && decide.Waits(ask.Source) {
		m.SendAt = now.Add(wait)
	}
	if resp.When != nil && resp.When.SendAt.After(m.SendAt) {
		m.SendAt = resp.When.SendAt
	}
	if ask.Clock != "" && (resp.When == nil || resp.When.SendAt.Sub(now) < time.Minute) { // the decision left the moment open
		m.SendAt = NextClock(m.SendAt, ask.Clock, j.Zone(view, ask.Zone))
	}
	m.ExpiresAt = m.SendAt.Add(max(life, time.Minute))
	return m
}

// Zone is the time zone of a person by their traits, else the other one, else UTC.
func (j *Judge) Zone(view *profiles.View, other *time.Location) *time.Location {
	if other == nil {
		other = time.UTC
	}
	return j.zones.of(view, other)
}

// Preview is what would be decided about a person now, as a record that is not in
// the log, and the rule that would stop its message, if one does.
func (j *Judge) Preview(ctx context.Context, ask Ask) (rec *decide.Record, view *profiles.View, rule string, err error) {
	view, _, ok := j.find(ask.Person)
	if !ok {
		return nil, nil, string(OutcomeGone), nil
	}
	rec, err = j.decider.Preview(ctx, &decide.Request{Decision: ask.Point, User: User(view), Context: ask.Context}, ask.Source)
	if err != nil {
		return nil, nil, "", fmt.Errorf("previewing a decision at %s: %w", ask.Point, err)
	}
	if channel, known := j.decider.Channel(rec.Channel); known && rec.Eligible {
		rule, _ = j.allowed(view, rec.Channel, &channel, ask.Consent)
	}
	return rec, view, rule, nil
}

// Stops is the rule that keeps a message on a channel from a person, "" when none does.
func (j *Judge) Stops(person, channel string, c Consent) string {
	view, _, ok := j.find(person)
	if !ok {
		return string(OutcomeGone)
	}
	def, known := j.decider.Channel(channel)
	if !known {
		return "channel-unknown"
	}
	rule, _ := j.allowed(view, channel, &def, c)
	return rule
}
