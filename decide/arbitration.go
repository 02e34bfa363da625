package decide

import (
	"slices"
	"strings"
	"time"

	"quintet/decide/caps"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/models/bandits"
)

const (
	maxPriority      = 100
	maxWindowMinutes = 7 * 24 * 60
)

// Arbitration has contacts compete for the room under a cap: a higher priority of the
// decision point wins, then the higher worth, which is the value that the policy expects
// less what was charged. Service messages take no part.
type Arbitration struct {
	WindowMinutes float64 `json:"windowMinutes" doc:"How long messages of campaigns and scenarios wait before they go out, so that a more valuable one can take their place" minimum:"0" maximum:"10080"`
}

func (a *Arbitration) validate(bad *problem.Invalid, class string) {
	if a == nil {
		return
	}
	if !(a.WindowMinutes >= 0 && a.WindowMinutes <= maxWindowMinutes) {
		bad.Add("arbitration.windowMinutes", "must be from 0 to 10080", nil)
	}
	if class == ClassService {
		bad.Add("arbitration", "is for caps that limit advertising: service messages take no part in it", nil)
	}
}

// window is how long what a cap counts waits for something better.
type window struct {
	rule *caps.Rule
	wait time.Duration
}

func windowsOf(all map[string]definitions.Versioned[Cap], rules []caps.Rule) (out []window) {
	for i := range rules {
		if a := all[rules[i].Key].Value.Arbitration; a != nil {
			out = append(out, window{&rules[i], time.Duration(a.WindowMinutes * float64(time.Minute))})
		}
	}
	return out
}

// Window is how long a message waits before it goes out, as caps with arbitration ask
// for; 0 for service messages and where there are none.
func (s *Service) Window(class, channel, offer string) (wait time.Duration) {
	l := s.state.Load().limits
	if l == nil || class != ClassAdvertising {
		return 0
	}
	var tags []string
	if o, ok := s.offers.Get(offer); ok {
		tags = o.Value.Tags
	}
	for _, w := range l.windows {
		if w.rule.About(class, channel, tags) {
			wait = max(wait, w.wait)
		}
	}
	return wait
}

// Beginnings of the sources whose messages wait in an outbox until they go out. What
// others ask for is acted on at once, and does not give way.
const (
	SourceCampaign = "campaign:"
	SourceScenario = "scenario:"
)

// Waits says whether messages of a source wait in an outbox until they go out.
func Waits(source string) bool {
	return strings.HasPrefix(source, SourceCampaign) || strings.HasPrefix(source, SourceScenario)
}

// yields says whether a contact may give way until it is made.
func yields(class, source string, channel *Channel) bool {
	return class == ClassAdvertising && Waits(source) && channel != nil && channel.addresses() != ""
}

// worthOf is what the chosen action of a record is expected to bring less what it costs.
func (s *Service) worthOf(rec *Record) float64 {
	at := slices.Index(rec.Candidates, rec.Action)
	if at < 0 { // a record of the stream that was read without its candidates
		o, _ := s.offers.Get(rec.Offer)
		return o.Value.Value - rec.ContactCost
	}
	return s.worthAt(rec, at, rec.ContactCost)
}

// worthAt is what a candidate of a record is expected to bring, less what was charged, else
// less the contact cost.
func (s *Service) worthAt(rec *Record, at int, contactCost float64) float64 {
	worth, _ := s.Expected(rec, at)
	if at >= 0 && at < len(rec.Charges) {
		return worth - rec.Charges[at]
	}
	return worth - contactCost
}

// Expected is what a candidate of a record is expected to be worth before costs: by the
// policy that compares values, by the mean of what a bandit has learned as it is now, else
// the value that its offer is taken to have; false where there is none of them. What the
// objective of a bandit subtracts, such as contact costs, is taken off already.
func (s *Service) Expected(rec *Record, candidate int) (value float64, known bool) {
	if candidate < 0 || candidate >= len(rec.Candidates) {
		return 0, false
	}
	id := rec.Candidates[candidate]
	if candidate < len(rec.Values) {
		return rec.Values[candidate], true
	}
	if p := s.state.Load().points[rec.Decision]; p != nil && id != NoneAction && rec.Policy == PolicyBandit && s.models != nil {
		if snapshot := s.models.Current(rec.Decision); usable(p, snapshot, rec) {
			mean, _ := snapshot.Model.Score(id, bandits.Vector{Indices: rec.FeatureIndex, Values: rec.FeatureValue})
			return mean, true
		}
	}
	offer, _, _ := strings.Cut(id, "/")
	o, ok := s.offers.Get(offer)
	return o.Value.Value, ok && o.Value.Value != 0
}

// rank writes into a contact of the stream how it is compared with others. The priority
// and what is expected of it are those of now.
func (s *Service) rank(c *caps.Contact, rec *Record) {
	if v, ok := s.points.Get(rec.Decision); ok {
		c.Priority = v.Value.Priority
	}
	c.Worth = s.worthOf(rec)
	if v, ok := s.channels.Get(rec.Channel); ok {
		c.Yields = yields(rec.Class, rec.Source, &v.Value)
	}
}

// refused is the key of the cap that refuses a contact for certain, whatever it is worth.
// Where others may give way to it the worth decides, once it is known.
func (q *permission) refused(p *point, c *caps.Contact) string {
	key := caps.Refused(q.limits.caps, q.history, c)
	if key == "" || len(q.limits.windows) == 0 || p.def.Class != ClassAdvertising {
		return key
	}
	if !slices.ContainsFunc(q.history, func(h caps.Contact) bool { return h.Yields && !h.Made && !h.Given }) {
		return key
	}
	q.contested = true
	return ""
}

// arbitrate takes the candidates away that are worth less than what would have to give
// way to them, before one is chosen, so that probabilities stay exact. It is false when
// none is left.
func (s *Service) arbitrate(p *point, rec *Record, sc *scratch) bool {
	q, n := &sc.permits, 0
	for i, at := range sc.actions {
		a := &p.actions[at]
		if rule := s.loses(p, a, rec, i, q); rule != "" {
			rec.Removed = append(rec.Removed, Removal{Action: a.id, Rule: rule})
			continue
		}
		sc.actions[n] = at
		if len(rec.Values) > 0 {
			rec.Values[n] = rec.Values[i]
		}
		if len(rec.Charges) > 0 {
			rec.Charges[n] = rec.Charges[i]
		}
		n++
	}
	if n == len(sc.actions) {
		return true
	}
	sc.actions = sc.actions[:n]
	rec.Values, rec.Charges = rec.Values[:min(n, len(rec.Values))], rec.Charges[:min(n, len(rec.Charges))]
	if !slices.ContainsFunc(rec.Charges, func(c float64) bool { return c != 0 }) {
		rec.Charges = rec.Charges[:0]
	}
	if n == 0 {
		rec.Candidates = nil
		rec.Eligible, rec.Reasons = false, []string{fallbackNoAction}
		return false
	}
	rec.Candidates = p.names(sc.actions)
	return true
}

// loses is the rule by which the candidate at a place has no room, "" when it has.
func (s *Service) loses(p *point, a *action, rec *Record, i int, q *permission) string {
	if a.channel == nil {
		return ""
	}
	c := caps.Contact{ID: rec.DecisionID, Class: p.def.Class, Channel: a.chanKey, Tags: a.tags(), At: rec.DecidedAt, Zone: q.zone,
		Priority: p.def.Priority, Worth: s.worthAt(rec, i, a.channel.ContactCost)}
	if permit := q.onChannel(p, a, rec); !permit.at.IsZero() {
		c.At = permit.at
	}
	given, key := caps.Contend(q.limits.caps, q.history, &c)
	if key == "" {
		caps.Restore(q.history, given) // it was only asked
		return ""
	}
	if caps.Contested(q.limits.caps, q.history, &c, key) {
		return ruleArbitration + key
	}
	return q.limits.name(ruleCap, key)
}
