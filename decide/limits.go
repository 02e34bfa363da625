package decide

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"quintet/decide/budgets"
	"quintet/decide/calendar"
	"quintet/decide/caps"
	"quintet/internal/definitions"
	"quintet/profiles"
)

// Beginnings of the rules of caps, quiet hours and budgets, as records name them: the
// key of the definition follows.
const (
	ruleCap    = "cap:"
	ruleQuiet  = "quiet-hours:"
	ruleBudget = "budget:"
	// ruleArbitration is that of a cap whose room a more valuable contact has.
	ruleArbitration = "arbitration:"
)

// limited says whether a rule is one of a cap, of quiet hours or of a budget.
func limited(rule string) bool {
	return strings.HasPrefix(rule, ruleCap) || strings.HasPrefix(rule, ruleQuiet) || strings.HasPrefix(rule, ruleBudget) || strings.HasPrefix(rule, ruleArbitration)
}

// limits are the caps, quiet hours and budgets in force, compiled. It is immutable, and
// nil when there are none, so that decisions then do not look.
type limits struct {
	caps    []caps.Rule
	quiet   []quietRule
	budgets []budgetRule
	tagged  bool              // whether a cap counts by tags
	windows []window          // of caps with arbitration, parallel to caps; empty when none has it
	names   map[string]string // of rules, as records have them, so that decisions make none
}

// name is the rule of a cap, of quiet hours or of a budget as records have it.
func (l *limits) name(kind, key string) string {
	if name, ok := l.names[key]; ok && strings.HasPrefix(name, kind) {
		return name
	}
	return kind + key
}

// compileLimits makes them of the definitions, and tells the ledgers.
func (s *Service) compileLimits() *limits {
	l := &limits{names: make(map[string]string)}
	all := s.caps.Snapshot()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		v := all[key].Value
		l.caps = append(l.caps, v.rule(key))
		l.tagged = l.tagged || len(v.Tags) > 0
		l.names[key] = ruleCap + key
	}
	l.windows = windowsOf(all, l.caps)
	quiet := s.quiet.Snapshot()
	for _, key := range slices.Sorted(maps.Keys(quiet)) {
		v := quiet[key].Value
		l.quiet = append(l.quiet, v.compile(key))
	}
	var plain []budgets.Budget
	money := s.budgets.Snapshot()
	for _, key := range slices.Sorted(maps.Keys(money)) {
		v := money[key].Value
		l.budgets = append(l.budgets, budgetRule{key, v})
		plain = append(plain, v.compile(key))
	}
	s.contactsHeld.SetRules(l.caps)
	s.spending.Set(plain)
	if len(l.caps)+len(l.quiet)+len(l.budgets) == 0 {
		return nil
	}
	return l
}

// permit is what was found out about an offer on a channel during one decision.
type permit struct {
	offer, channel string
	rule           string    // "" when it may be used
	at             time.Time // first moment at which it may
	charge         float64   // what the budgets charge
}

// permission is the state of a decision under limits.
type permission struct {
	limits  *limits
	person  string
	zone    *time.Location // of the person, nil when it is not known
	country string
	history []caps.Contact
	last    permit
	// channels are what was found out about channels.
	channels []permit
	budgets  []affordable // parallel to those of the limits, as far as they were asked
	charged  bool         // whether an action has a charge
	// contested says that some action has room only if others give way to it.
	contested bool
}

// begin looks the person up, once for a decision.
func (q *permission) begin(s *Service, l *limits, rec *Record, view *profiles.View, asked map[string]any) {
	*q = permission{limits: l, history: q.history[:0], channels: q.channels[:0], budgets: q.budgets[:0], person: personOf(view, rec.ProfileID)}
	if l == nil {
		return
	}
	if len(l.caps) > 0 {
		q.history = s.contactsHeld.History(q.person, q.history)
	}
	q.zone = s.zones.of(view, asked)
	q.country = countryOf(view, asked)
}

func personOf(view *profiles.View, profile string) string {
	if view != nil && view.Person != "" {
		return view.Person
	}
	return profile
}

// countryOf is the country of a person in capitals, "" when it is not known.
func countryOf(view *profiles.View, asked map[string]any) string {
	text, _ := asked["country"].(string)
	if text == "" && view != nil {
		text, _ = view.Traits["country"].(string)
	}
	if len(text) != 2 {
		return ""
	}
	return strings.ToUpper(text)
}

// tagsOf are the tags of an action's offer.
func (a *action) tags() []string {
	if a.offer == nil {
		return nil
	}
	return a.offer.Tags
}

// permits asks the limits about an action that passed all other rules.
// What it gives holds until it is asked again.
func (s *Service) permits(p *point, a *action, rec *Record, q *permission) *permit {
	if a.channel == nil {
		return &nothing
	}
	if q.last.offer != a.offerKey || q.last.channel != a.chanKey || q.last.channel == "" {
		s.permit(p, a, rec, q)
		q.last.offer, q.last.channel = a.offerKey, a.chanKey
		q.charged = q.charged || q.last.rule == "" && q.last.charge != 0
	}
	return &q.last
}

// nothing is the permit of an action that makes no contact. It is not written to.
var nothing permit

// permit writes what holds of an offer on a channel into the last permit.
func (s *Service) permit(p *point, a *action, rec *Record, q *permission) {
	q.last = *q.onChannel(p, a, rec)
	out := &q.last
	if out.rule != "" {
		return
	}
	if tags := a.tags(); q.limits.tagged && len(tags) > 0 {
		c := caps.Contact{ID: rec.DecisionID, Class: p.def.Class, Channel: a.chanKey, Tags: tags, At: out.at, Zone: q.zone}
		if key := q.refused(p, &c); key != "" {
			*out = permit{rule: q.limits.name(ruleCap, key)}
			return
		}
	}
	for i := range q.limits.budgets {
		r := &q.limits.budgets[i]
		if !r.spends(p.key, a.offerKey, a.chanKey) {
			continue
		}
		amount := r.amount(a.channel.ContactCost, a.offer)
		b := q.spends(s, i, amount, rec.DecidedAt)
		if !b.open {
			*out = permit{rule: q.limits.name(ruleBudget, r.key)}
			return
		}
		out.charge += amount * b.price
	}
}

// affordable is what was found out about a budget during one decision.
type affordable struct {
	asked, open bool
	amount      float64
	price       float64
}

// spends asks a budget about an amount, once for actions in a row that cost as much.
func (q *permission) spends(s *Service, i int, amount float64, at time.Time) *affordable {
	for len(q.budgets) <= i {
		q.budgets = append(q.budgets, affordable{})
	}
	b := &q.budgets[i]
	if !b.asked || b.amount != amount {
		key := q.limits.budgets[i].key
		*b = affordable{asked: true, amount: amount, open: s.spending.Allowed(budgets.Charge{Key: key, Amount: amount}, at) == budgets.Open, price: s.spending.Price(key)}
	}
	return b
}

// onChannel is what holds of a channel for all offers, found out once for a decision.
func (q *permission) onChannel(p *point, a *action, rec *Record) *permit {
	for i := range q.channels {
		if q.channels[i].channel == a.chanKey {
			return &q.channels[i]
		}
	}
	out := q.look(p, a, rec)
	out.channel = a.chanKey
	q.channels = append(q.channels, out)
	return &q.channels[len(q.channels)-1]
}

func (q *permission) look(p *point, a *action, rec *Record) permit {
	out := permit{at: rec.DecidedAt}
	var room [8]quietAt
	hours := room[:0]
	for i := range q.limits.quiet {
		r := &q.limits.quiet[i]
		if !r.holds(p.def.Class, a.chanKey, a.channel, q.country) {
			continue
		}
		zone := q.zone
		if zone == nil {
			zone = r.zone
		}
		if r.def.Action == quietDrop && r.hours.At(rec.DecidedAt, zone) {
			return permit{rule: q.limits.name(ruleQuiet, r.key)}
		}
		hours = append(hours, quietAt{r.hours, zone})
	}
	if len(hours) > 0 {
		at, ok := open(rec.DecidedAt, hours)
		if !ok || at.Sub(rec.DecidedAt) > p.holds() {
			return permit{rule: q.limits.name(ruleQuiet, q.quietest(p, a, rec))}
		}
		out.at = at
	}
	if len(q.limits.caps) > 0 {
		c := caps.Contact{ID: rec.DecisionID, Class: p.def.Class, Channel: a.chanKey, At: out.at, Zone: q.zone}
		if key := q.refused(p, &c); key != "" {
			return permit{rule: q.limits.name(ruleCap, key)}
		}
	}
	return out
}

// quietAt is quiet hours by the clock of a zone.
type quietAt struct {
	hours calendar.Quiet
	zone  *time.Location
}

// open is the first moment from at on at which none of the hours is quiet, each by the
// clock of its own zone; false where there is none within the horizon of the calendar.
func open(at time.Time, hours []quietAt) (time.Time, bool) {
	const rounds = 100
	for range rounds {
		before := at
		for i := range hours {
			next, ok := calendar.Next(at, hours[i].zone, []calendar.Quiet{hours[i].hours})
			if !ok {
				return time.Time{}, false
			}
			at = next
		}
		if at.Equal(before) {
			return at, true
		}
	}
	return time.Time{}, false
}

// Quiet is the first moment from at on at which a message of a class may go to a person
// on a channel, by the quiet hours as they are now; false where there is none in the next
// days. It is asked again as a message goes out: what was decided at a quieter time, put
// off or tried again, may come at another hour than was planned.
func (s *Service) Quiet(view *profiles.View, channel, class string, at time.Time) (time.Time, bool) {
	l := s.state.Load().limits
	c, known := s.channels.Get(channel)
	if l == nil || !known {
		return at, true
	}
	zone, country := s.zones.of(view, nil), countryOf(view, nil)
	var hours []quietAt
	for i := range l.quiet {
		r := &l.quiet[i]
		if !r.holds(class, channel, &c.Value, country) {
			continue
		}
		in := zone
		if in == nil {
			in = r.zone
		}
		hours = append(hours, quietAt{r.hours, in})
	}
	return open(at, hours)
}

// quietest is the key of the first quiet hours that hold an action back now.
func (q *permission) quietest(p *point, a *action, rec *Record) string {
	for i := range q.limits.quiet {
		r := &q.limits.quiet[i]
		zone := q.zone
		if zone == nil {
			zone = r.zone
		}
		if r.holds(p.def.Class, a.chanKey, a.channel, q.country) && r.hours.At(rec.DecidedAt, zone) {
			return r.key
		}
	}
	return ""
}

// open says whether the chosen action may be used at a moment: no hour is quiet, and no
// cap is exceeded.
func (q *permission) open(p *point, a *action, rec *Record, at time.Time) bool {
	for i := range q.limits.quiet {
		r := &q.limits.quiet[i]
		zone := q.zone
		if zone == nil {
			zone = r.zone
		}
		if r.holds(p.def.Class, a.chanKey, a.channel, q.country) && r.hours.At(at, zone) {
			return false
		}
	}
	c := caps.Contact{ID: rec.DecisionID, Class: p.def.Class, Channel: a.chanKey, Tags: a.tags(), At: at, Zone: q.zone}
	return caps.Refused(q.limits.caps, q.history, &c) == ""
}

// reserve takes the places of the action of a record under caps and budgets, for the
// decision of an id; it gives the rule that has none left, "" when all are taken.
func (s *Service) reserve(ctx context.Context, p *point, a *action, id string, rec *Record, q *permission) string {
	at, decided := rec.SendAt, rec.DecidedAt
	if q.limits == nil || a.channel == nil {
		return ""
	}
	if len(q.limits.budgets) > 0 {
		if key, why := s.spending.Reserve(id, q.limits.charges(p.key, a.offerKey, a.chanKey, a.channel.ContactCost, a.offer), decided); why != budgets.Open {
			return ruleBudget + key
		}
	}
	if len(q.limits.caps) > 0 {
		c := caps.Contact{ID: id, Person: q.person, Class: p.def.Class, Channel: a.chanKey, Tags: slices.Clone(a.tags()), At: at, Zone: q.zone}
		if len(q.limits.windows) > 0 {
			c.Priority, c.Worth, c.Yields = p.def.Priority, s.worthOf(rec), yields(p.def.Class, rec.Source, a.channel)
		}
		rule, ok := s.contend(ctx, q.limits, &c)
		if !ok {
			s.spending.Withdraw(id) // the decision is made anew, and charged then
			return ruleCap + rule
		}
	}
	return ""
}

// charges are what a contact takes from the budgets.
func (l *limits) charges(point, offer, channel string, contactCost float64, o *Offer) (out []budgets.Charge) {
	for i := range l.budgets {
		if r := &l.budgets[i]; r.spends(point, offer, channel) {
			out = append(out, budgets.Charge{Key: r.key, Amount: r.amount(contactCost, o)})
		}
	}
	return out
}

// Caps are the frequency caps.
func (s *Service) Caps() *definitions.Collection[Cap] { return s.caps }

// QuietHours are the hours in which nobody is contacted.
func (s *Service) QuietHours() *definitions.Collection[QuietHours] { return s.quiet }

// Budgets are the budgets.
func (s *Service) Budgets() *definitions.Collection[Budget] { return s.budgets }

// Commit says that the contact of a decision is made now. It is asked before the message
// goes out: where that is later than was planned, and a cap has no room left, it gives a
// [CapError], and the message must not be sent. A decision that holds no place, as of
// before there were caps, may be sent. Doing it again changes nothing.
func (s *Service) Commit(ctx context.Context, decisionID string) error {
	at := s.now().UTC().Truncate(time.Millisecond)
	made, came := s.contactsHeld.Commit(decisionID, at)
	switch {
	case came.Gave:
		return &CapError{Rule: s.gaveTo(ctx, decisionID)}
	case came.Rule != "":
		return &CapError{Rule: ruleCap + came.Rule}
	case !came.Known:
		return nil
	}
	if len(came.Given) > 0 { // other processes took places that are too many together
		if err := s.displace(ctx, decisionID, s.contactsHeld.Rank(decisionID), came.Given); err != nil {
			s.contactsHeld.Uncommit(decisionID)
			var sent *sentError
			if errors.As(err, &sent) {
				return &CapError{Rule: ruleCap + sent.rule}
			}
			return err
		}
	}
	return s.storeSent(ctx, decisionID, made)
}

// Postpone says that the contact of a decision could not be made when it was committed and
// is tried again at a later moment, at which [Service.Commit] is asked again: what was
// allowed then may not be any more.
func (s *Service) Postpone(ctx context.Context, decisionID string, at time.Time) error {
	at = at.UTC().Truncate(time.Millisecond)
	if err := s.storeContact(ctx, decisionID, contactPlanned, at); err != nil {
		return err
	}
	s.contactsHeld.Postpone(decisionID, at)
	return nil
}

// Release gives back what a decision reserved: its message will not be sent. Doing it
// again changes nothing.
func (s *Service) Release(ctx context.Context, decisionID string) error {
	// Stored first: a place is given away only when a restart would do so too.
	if err := s.storeContact(ctx, decisionID, contactReleased, s.now().UTC()); err != nil {
		return err
	}
	s.contactsHeld.Release(decisionID)
	s.spending.Release(decisionID)
	return s.restoreTo(ctx, decisionID)
}

// CapError says that a message must not be sent.
type CapError struct {
	Rule string // "cap:" or "arbitration:", and the key of the cap
}

// CappedBy is the rule.
func (e *CapError) CappedBy() string { return e.Rule }

// Error implements error.
func (e *CapError) Error() string {
	if strings.HasPrefix(e.Rule, ruleArbitration) {
		return "a more valuable contact took its place (" + e.Rule + ")"
	}
	return "no room is left under " + e.Rule
}
