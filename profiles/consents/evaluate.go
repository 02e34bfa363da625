package consents

import "slices"

// Question asks whether a person may be contacted, or their data used.
type Question struct {
	Purpose string
	Channel string // "" when no channel is involved
	// Addressed says that the channel sends something to an address. What is said in
	// a consent banner is not about that.
	Addressed bool
	Topic     string // "" for none
	At        int64  // Unix milliseconds
}

// Status answers a question: what the statements, the purpose and the topic come
// to. Only [Granted] permits.
func (s Set) Status(q Question, rules *Rules) Status {
	var purpose Purpose
	var topic Topic
	declared := false
	if rules != nil {
		purpose, declared = rules.Purposes[q.Purpose]
		topic = rules.Topics[q.Topic]
	}
	optIn := q.Topic != "" && topic.Default == Denied
	best := Unknown                   // of what is short of a consent
	var refused, overruled *Statement // the latest refusals
	for i := range s {
		one := &s[i]
		if !one.Key.covers(q, rules) || one.At > q.At {
			continue
		}
		if one.Status.Refusal() {
			kind := &refused
			if s.overrules(one, q, rules) {
				kind = &overruled
			}
			if *kind == nil || one.At > (*kind).At {
				*kind = one
			}
			continue
		}
		switch {
		case one.Key.Topic == "" && optIn: // says nothing about a topic that is to be chosen
		case one.Expires != 0 && one.Expires <= q.At:
			best = better(best, Expired)
		case purpose.DoubleOptIn && !one.Confirmed:
			best = better(best, Pending)
		case s.stands(one, q, rules):
			return Granted
		}
	}
	switch {
	case refused != nil:
		return refused.Status
	case best != Unknown:
		return best
	case optIn:
		return Denied
	case overruled != nil:
		// By a consent that does not stand itself: silence is not what follows.
		return overruled.Status
	case declared && purpose.Default != "":
		return purpose.Default
	}
	return Unknown
}

// better prefers what is nearer to a consent.
func better(a, b Status) Status {
	if a == Pending || b == Pending {
		return Pending
	}
	return b
}

// overrules says whether a later consent, about nothing wider, was given against a
// refusal.
func (s Set) overrules(refusal *Statement, q Question, rules *Rules) bool {
	for i := range s {
		one := &s[i]
		if one.Status == Granted && one.At > refusal.At && one.At <= q.At && one.Key.covers(q, rules) && one.Key.asNarrow(refusal.Key) {
			return true
		}
	}
	return false
}

// covers says whether a statement is about what is asked.
func (k *Key) covers(q Question, rules *Rules) bool {
	if k.Topic != "" && k.Topic != q.Topic {
		return false
	}
	switch k.Channel {
	case Any, q.Channel:
	case Site:
		if q.Addressed {
			return false
		}
	default:
		return false
	}
	return k.Purpose == Any || k.Purpose == q.Purpose || rules != nil && slices.Contains(rules.Purposes[q.Purpose].Categories, k.Purpose)
}

// stands says whether no refusal overrules a consent: none at its time or later,
// and none before it about something that it does not name itself.
func (s Set) stands(consent *Statement, q Question, rules *Rules) bool {
	for i := range s {
		one := &s[i]
		if !one.Status.Refusal() || one.At > q.At || !one.Key.covers(q, rules) {
			continue
		}
		if one.At >= consent.At || !consent.Key.asNarrow(one.Key) {
			return false
		}
	}
	return true
}

// asNarrow says whether k names all that other names; both are about one question.
// What a banner says is never narrower than what was said otherwise: it is sent
// along with every event, long after the choice was made.
func (k *Key) asNarrow(other *Key) bool {
	return (other.Purpose == Any || k.Purpose != Any) &&
		(other.Channel == k.Channel || other.Channel == Any && k.Channel != Site) &&
		(other.Topic == "" || k.Topic != "")
}

// State is what a person's statements come to for a purpose on a channel.
type State struct {
	Purpose, Channel string // Channel is Any where no channel is involved
	Status           Status
}

// usualChannels are told of even where a person said nothing about them.
var usualChannels = [...]string{"email", "sms", "push"}

// States is what holds at a moment for every purpose: where no channel is involved,
// on the usual channels and on those about which the person said something.
func (s Set) States(rules *Rules, at int64) []State {
	if rules == nil || len(rules.Purposes) == 0 {
		return nil
	}
	purposes := make([]string, 0, len(rules.Purposes))
	for key := range rules.Purposes {
		purposes = append(purposes, key)
	}
	slices.Sort(purposes)
	channels := append([]string{Any}, usualChannels[:]...)
	for i := range s {
		if c := s[i].Key.Channel; c != Site && !slices.Contains(channels, c) {
			channels = append(channels, c)
		}
	}
	states := make([]State, 0, len(purposes)*len(channels))
	for _, purpose := range purposes {
		for _, channel := range channels {
			q := Question{Purpose: purpose, At: at}
			if channel != Any {
				q.Channel, q.Addressed = channel, true
			}
			states = append(states, State{purpose, channel, s.Status(q, rules)})
		}
	}
	return states
}
