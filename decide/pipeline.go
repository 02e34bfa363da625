package decide

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/internal/problem"
	"quintet/internal/stream"
	"quintet/models"
	"quintet/models/bandits"
	"quintet/profiles"
)

// Reasons of fall-backs.
const (
	fallbackOverloaded  = "stream-full"
	fallbackUnavailable = "stream-unavailable"
	fallbackDeadline    = "deadline-exceeded"
	fallbackInternal    = "internal-error"
	fallbackNoAction    = "no-eligible-action"
	fallbackContended   = "limits-contended"
)

// maxAttempts is how often a decision is made anew because others took what it had
// chosen to reserve.
const maxAttempts = 4

// Decide answers a request and returns when its record is in the stream. Bad
// input is the only error: whatever else fails, the default action of the
// decision point comes back with Fallback set, which is then not recorded.
func (s *Service) Decide(ctx context.Context, req *Request, source string) (*Response, error) {
	sc := s.scratch.Get().(*scratch)
	a := new(answer)
	err := s.decide(ctx, req, source, sc, a)
	s.scratch.Put(sc)
	if err != nil {
		return nil, err
	}
	return &a.Response, nil
}

// decide is [Service.Decide] with the memory to do it in. The answer may refer to
// the request, and to nothing else of the scratch but its own parts.
func (s *Service) decide(ctx context.Context, req *Request, source string, sc *scratch, a *answer) error {
	ids, err := req.validateInto(sc.ids)
	if err != nil {
		return err
	}
	sc.ids = ids
	st := s.state.Load()
	p, ok := st.points[req.Decision]
	if !ok {
		return &problem.Error{
			Status: 404, Title: "Unknown decision point",
			Detail: "There is no decision point with this key.",
			Fields: problem.Invalid{{Field: "decision", Rule: "must be the key of a decision point", Value: problem.Clip(req.Decision)}},
		}
	}
	side := s.enter()
	if s.erased(sc.ids) {
		s.answerErased(p, req, a)
	} else {
		s.decideAt(ctx, st, p, req, source, sc, a)
	}
	s.leave(side)
	s.metrics.observe(&a.Response, p.counted)
	return nil
}

// decideAt runs the pipeline; a panic in it is a fall-back, not an outage.
func (s *Service) decideAt(ctx context.Context, st *state, p *point, req *Request, source string, sc *scratch, a *answer) {
	now := s.now().UTC().Truncate(time.Millisecond)
	rec := p.record(sc, newDecisionID(now), now, req, source)
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("decision failed", "decision", p.key, "decisionId", rec.DecisionID, "panic", r)
			s.fallback(p, rec, req, fallbackInternal, a)
		}
	}()
	for attempt := 1; ; attempt++ {
		if err := s.fill(st, p, req, rec, sc, a); err != nil {
			s.log.Error("decision failed", "decision", p.key, "decisionId", rec.DecisionID, "error", err)
			s.fallback(p, rec, req, fallbackInternal, a)
			return
		}
		if st.limits == nil || !rec.Eligible || rec.Channel == "" {
			break
		}
		if s.reserve(ctx, p, &p.actions[p.byID[rec.Action]], rec.DecisionID, rec, &sc.permits) == "" {
			break
		}
		// Another decision about the person took the place meanwhile.
		if attempt == maxAttempts {
			s.fallback(p, rec, req, fallbackContended, a)
			return
		}
		rec = p.record(sc, rec.DecisionID, now, req, source)
	}
	s.answer(p, rec, req, a)

	var err error
	if sc.data, err = AppendRecord(sc.data[:0], rec); err != nil {
		s.log.Error("encoding a decision record", "decision", p.key, "error", err)
		s.fallback(p, rec, req, fallbackInternal, a)
		return
	}
	// A caller that goes away does not take back what the stream may hold already. Nor does one whose time ends
	// while the record is on its way: it may be stored although its caller falls back.
	sc.deadline.begin(ctx, s.deadline)
	_, err = s.topic.Append(&sc.deadline, sc.data)
	sc.deadline.end()
	if err != nil {
		reason := publishFailure(err)
		if st.limits != nil && errors.Is(err, stream.ErrFull) { // else it may be stored all the same
			s.contactsHeld.Release(rec.DecisionID)
			s.spending.Release(rec.DecisionID)
			if len(st.limits.windows) > 0 {
				if err := s.restoreTo(context.WithoutCancel(ctx), rec.DecisionID); err != nil {
					s.log.Warn("contacts that gave way to a decision which was not recorded stay so", "decisionId", rec.DecisionID, "error", err)
				}
			}
		}
		s.log.Warn("decision not recorded, default action given", "decision", p.key, "reason", reason, "error", err)
		s.fallback(p, rec, req, reason, a)
		return
	}
	s.recent.add(rec, sc.data)
	s.keep(st.plan, rec)
}

// fill runs the stages and writes what they found into the record.
func (s *Service) fill(st *state, p *point, req *Request, rec *Record, sc *scratch, a *answer) error {
	view, known := s.people.Lookup(sc.ids)
	if known {
		rec.ProfileID = view.ID
	} else {
		rec.ProfileID = s.people.Resolve(sc.ids)
	}
	sc.traits = traitsRead(p, view, sc.traits)
	rec.Traits = sc.traits
	defer func() { a.enrolments = rec.Experiments }()
	rec.Experiments = a.enrolments[:0]

	sc.subject = subject{profile: rec.ProfileID, ids: sc.ids, view: view, context: req.Context, segments: s.segments, keeper: s.keeper}
	if len(p.audience) > 0 {
		sc.audience = audienceRead(p, &sc.subject, sc.audience)
		rec.Audience = sc.audience
	}
	if !p.admits(&sc.subject, rec) {
		return nil
	}
	policy, ok := enrol(st.plan, p, &sc.subject, rec)
	if !ok {
		return nil
	}
	sc.permits.begin(s, st.limits, rec, view, req.Context)
	charging := policy.weighs()

	sc.actions, sc.verdicts = sc.actions[:0], sc.verdicts[:0]
	guards := s.guards(p)
	for i := range p.actions {
		rule, ok := p.actions[i].allowed(p, policy, view, rec.DecidedAt)
		if ok && guards {
			rule, ok = s.contactable(p, &p.actions[i], view, rec, sc)
		}
		if ok && p.actions[i].picky() {
			rule, ok = s.suitable(&p.actions[i], &sc.subject, rec.DecidedAt)
		}
		charge := 0.0
		if ok && st.limits != nil {
			permit := s.permits(p, &p.actions[i], rec, &sc.permits)
			rule, ok, charge = permit.rule, permit.rule == "", permit.charge
		}
		if ok {
			sc.actions = append(sc.actions, i)
			if charging {
				rec.Charges = append(rec.Charges, charge+p.cost(&p.actions[i], &sc.permits, rec.DecidedAt))
			}
		} else if rule != "" {
			rec.Removed = append(rec.Removed, Removal{Action: p.actions[i].id, Rule: rule})
		}
	}
	if len(sc.actions) == 0 {
		rec.Eligible, rec.Reasons = false, []string{fallbackNoAction}
		return nil
	}
	rec.Candidates = p.names(sc.actions)
	if err := p.encode(rec, sc); err != nil {
		// A feature that cannot be read is worth less than an answer: the
		// policy then chooses without features, and the record has none.
		s.log.Warn("encoding features", "decision", p.key, "error", err)
	}
	if !slices.ContainsFunc(rec.Charges, func(c float64) bool { return c != 0 }) {
		rec.Charges = rec.Charges[:0]
	}
	s.value(p, &policy, rec, sc)
	if sc.permits.contested && !s.arbitrate(p, rec, sc) {
		return nil
	}
	if err := choose(p, policy, s.models.Current(p.key), rec, &sc.subject, sc); err != nil {
		return err
	}
	s.schedule(p, rec, sc)
	drawMoment(p, rec)
	p.overshadow(rec)
	return nil
}

// choose computes the distribution over the record's candidates and draws.
func choose(p *point, policy Policy, snapshot *models.Snapshot, rec *Record, s assignment.Subject, sc *scratch) error {
	d, version, err := staged(p, policy, snapshot, rec, s, sc)
	if err != nil {
		return fmt.Errorf("computing the distribution over %d actions: %w", len(rec.Candidates), err)
	}
	rec.ModelVersion = version
	rec.Probabilities = append(slices.Grow(rec.Probabilities[:0], len(d.Q)), d.Q...)
	rec.Draw = bandits.Uniform(rec.DecisionID, p.key, "action")
	chosen, _ := d.Draw(rec.Draw)
	if chosen < 0 {
		return errors.New("drawing an action: every probability is zero")
	}
	take(p, rec, sc.actions, chosen)
	return nil
}

// enrol finds out which holdouts, groups and experiments have the person and writes it
// into the record, with the policy that follows; false when nothing may be sent. It
// depends on nothing but the plan, the point, the subject and the moment of the record.
func enrol(plan *experiments.Plan, p *point, s assignment.Subject, rec *Record) (Policy, bool) {
	rec.Group, rec.Eligible = GroupTreated, true
	if p.def.Shadow { // nobody sees anything, so nothing can be compared
		rec.Policy = p.def.Policy.Type
		return p.def.Policy, true
	}
	// Who is forced into a variant is outside of holdouts and groups, and counts in none.
	forced := plan.Forces(p.key, s)
	var st standing
	if !forced {
		st, rec.Experiments = p.stand(rec.ProfileID, rec.Experiments)
	}
	policy := p.def.Policy
	grouped := p.groups != nil && !forced && st.aside == ""
	switch {
	case st.held != "":
		rec.Group, rec.Eligible, rec.Policy, rec.Reasons = GroupHoldout, false, "none", []string{st.held}
		if p.groups != nil && st.universal && !(p.yields() && plan.Takes(p.key, s, rec.DecidedAt)) {
			rec.Experiments = append(rec.Experiments, Enrolment{Key: p.groups.Salt, Variant: experiments.HoldoutVariant, Version: p.version})
		}
	case grouped && !p.yields():
		policy, st.aside = p.group(rec)
	}
	if st.aside != "" {
		for _, t := range plan.At(p.key) {
			x := Exclusion{Key: t.Key, Version: t.Version, Reason: string(st.aside)}
			if t.Unit != assignment.Person {
				x.Unit = s.Unit(t.Unit)
			}
			rec.Excluded = append(rec.Excluded, x)
		}
		if st.held == "" {
			rec.Policy = policy.Type
		}
		return policy, st.held == ""
	}
	policy, in := assign(plan, p, s, rec)
	if grouped && p.yields() && !in {
		policy, _ = p.group(rec)
	}
	rec.Policy = policy.Type
	return policy, true
}

// Ways in which somebody came to a variant, beside those of [assignment.Reason].
const howKeep = "keep"

// assign finds the experiment variant that applies and the policy it asks for, and
// whether there is one. It adds to the enrolments and the exclusions of the record.
func assign(plan *experiments.Plan, p *point, s assignment.Subject, rec *Record) (Policy, bool) {
	policy := p.def.Policy
	var room [4]experiments.Assignment
	var out [4]experiments.Exclusion
	got, excluded := plan.Assign(p.key, s, rec.DecidedAt, room[:0], out[:0])
	for _, x := range excluded {
		rec.Excluded = append(rec.Excluded, Exclusion{Key: x.Experiment, Version: x.Version, Reason: string(x.Reason), Unit: x.Unit})
	}
	for _, a := range got {
		how := string(a.How)
		if a.Keep {
			how = howKeep
		}
		rec.Experiments = append(rec.Experiments, Enrolment{Key: a.Experiment, Variant: a.Variant, Version: a.Version, How: how, Unit: a.Unit})
		if a.Control {
			rec.Group = GroupControl
		}
		if len(a.Policy) == 0 {
			if a.Control {
				policy = Policy{Type: PolicyFixed, Action: p.def.DefaultAction}
			}
			continue
		}
		if over, ok := p.overrides[string(a.Policy)]; ok {
			policy = over
		}
	}
	return policy, len(got) > 0
}

// allowed says whether an action can be taken; the rule is empty for an action
// that was never a candidate.
func (a *action) allowed(p *point, policy Policy, view *profiles.View, at time.Time) (rule string, ok bool) {
	if a.id == NoneAction {
		return "", p.offersNone(policy)
	}
	if a.offer == nil {
		return ruleOfferUnknown, false
	}
	if a.channel == nil {
		return ruleChannelUnknown, false
	}
	if rule, ok := a.offer.available(at); !ok {
		return rule, false
	}
	if !a.channel.Active {
		return ruleChannelInactive, false
	}
	if need := a.channel.Requires; need != "" && !reachable(view, need) {
		return ruleUnreachable, false
	}
	return "", true
}

// offersNone says whether sending nothing is a candidate: where the decision point
// has it among its actions, and for a baseline that consists in it.
func (p *point) offersNone(policy Policy) bool {
	return *p.def.NoneAction || policy.Type == PolicyFixed && policy.Action == NoneAction
}

// reachable says whether a person has the identifier or trait that a channel needs.
func reachable(view *profiles.View, need string) bool {
	if view == nil {
		return false
	}
	if v, ok := view.Traits[need]; ok && v != nil && v != "" && v != false {
		return true
	}
	for i := range view.Identifiers {
		if view.Identifiers[i].Namespace == need {
			return true
		}
	}
	return false
}

// names are the ids of actions. Where none of them is left out in between, which
// is the usual case, the list is a part of the point's own.
func (p *point) names(actions []int) []string {
	n := len(actions)
	if actions[n-1] == n-1 {
		return p.ids[:n:n]
	}
	out := make([]string, n)
	for i, a := range actions {
		out[i] = p.ids[a]
	}
	return out
}

// encode writes the features of the person and the moment into the record.
func (p *point) encode(rec *Record, sc *scratch) error {
	if !p.def.encodes() {
		return nil
	}
	if err := p.encoder.EncodeShared(bandits.AttributeMap(rec.Traits), bandits.AttributeMap(rec.Context), &sc.x); err != nil {
		return err
	}
	rec.FeatureIndex = append(slices.Grow(rec.FeatureIndex[:0], len(sc.x.Indices)), sc.x.Indices...)
	rec.FeatureValue = append(slices.Grow(rec.FeatureValue[:0], len(sc.x.Values)), sc.x.Values...)
	return nil
}

// take writes the chosen candidate with its factors and propensities.
func take(p *point, rec *Record, candidates []int, chosen int) {
	a := &p.actions[candidates[chosen]]
	rec.Action = a.id
	rec.Offer, rec.Channel = a.offerKey, a.chanKey
	if a.creative != nil {
		rec.Creative = a.creative.Key
	}
	if a.channel != nil {
		rec.ContactCost = a.channel.ContactCost
	}
	rec.Propensity = rec.Probabilities[chosen]
	rec.Propensities = factor(p, candidates, rec.Probabilities, chosen)
}

// factor splits the probability of the chosen action into the conditional
// probabilities of its factors.
func factor(p *point, candidates []int, q []float64, chosen int) Propensities {
	a := &p.actions[candidates[chosen]]
	var what, where float64
	for i, c := range candidates {
		b := &p.actions[c]
		if b.offerKey != a.offerKey {
			continue
		}
		what += q[i]
		if b.chanKey == a.chanKey {
			where += q[i]
		}
	}
	// The moment of sending is drawn after the action, and given it.
	return Propensities{What: what, Where: where / what, When: 1, How: q[chosen] / where}
}

// answer makes the response of a record and notes the items in the record.
func (s *Service) answer(p *point, rec *Record, req *Request, a *answer) {
	a.Response = Response{
		DecisionID: rec.DecisionID, Decision: p.key,
		Who:          Who{ProfileID: rec.ProfileID, Eligible: rec.Eligible, Group: rec.Group, Reasons: orEmpty(rec.Reasons)},
		Propensity:   rec.Propensity,
		Propensities: rec.Propensities,
		Policy:       PolicyRef{Key: p.key, Version: p.version, Type: rec.Policy, Model: rec.ModelVersion},
		Experiments:  orEmpty(rec.Experiments),
		ExpiresAt:    rec.SendAt.Add(p.expires),
	}
	if rec.Eligible {
		s.describe(p, a, rec.Action, rec.SendAt, req)
	}
	if a.What != nil {
		for i := range a.What.Items {
			rec.Items = append(rec.Items, a.What.Items[i].ID)
		}
	}
}

// describe fills the five answers for an action; none has only who.
func (s *Service) describe(p *point, a *answer, id string, at time.Time, req *Request) {
	x := &p.actions[p.byID[id]]
	if x.id == NoneAction {
		return
	}
	items := a.items[:0]
	limit := 10
	if req.Limit > 0 {
		limit = req.Limit
	}
	if x.offer != nil && x.offer.Slot != "" {
		items = s.recommended(a.Who.ProfileID, x.offer.Slot, limit, items)
	} else if x.offer != nil {
		for _, id := range x.offer.Items {
			if len(items) == limit {
				break
			}
			if s.inStock(id) {
				items = append(items, Item{ID: id, Score: 1, Reason: "offer"})
			}
		}
	}
	c := x.creative
	a.items = items
	a.what, a.where, a.when = What{Offer: x.offerKey, Items: orEmpty(items)}, Where{Channel: x.chanKey}, When{SendAt: at}
	a.how = How{Creative: c.Key, Tone: c.Tone, Emphasis: c.Emphasis, Background: c.Background, Imagery: c.Imagery}
	a.What, a.Where, a.When, a.How = &a.what, &a.where, &a.when, &a.how
}

// fallback is the default action, not recorded. The holdout and the rules hold even
// then: where they are not known to let the action through, nothing is sent. It has
// an id of its own, as the stream may hold the record of the decision all the same,
// and outcomes of this answer must not count for that.
func (s *Service) fallback(p *point, rec *Record, req *Request, reason string, a *answer) {
	a.Response = Response{
		DecisionID: newDecisionID(rec.DecidedAt), Decision: p.key,
		Who:         Who{ProfileID: rec.ProfileID, Eligible: true, Group: rec.Group, Reasons: orEmpty(rec.Reasons)},
		Policy:      PolicyRef{Key: p.key, Version: p.version, Type: "none"},
		Experiments: []Enrolment{},
		Fallback:    true, Reason: reason,
		ExpiresAt: rec.DecidedAt.Add(p.expires),
	}
	switch {
	case rec.Group != "":
		a.Who.Eligible = rec.Eligible
	default:
		// It failed before the group was known.
		a.Who.Group = GroupTreated
		if p.def.Class == ClassAdvertising {
			a.Who.Eligible, a.Who.Reasons = false, []string{reason}
		}
	}
	if p.def.Shadow {
		a.Who.Eligible = false
	}
	if a.Who.Eligible && p.open(p.def.DefaultAction, rec) && s.reserveDefault(p, a.DecisionID, rec) {
		s.describe(p, a, p.def.DefaultAction, rec.DecidedAt, req)
	}
}

// open says whether an action other than none can be taken: by the rules that the
// record applied, else by those that need no profile.
func (p *point) open(id string, rec *Record) bool {
	if len(rec.Candidates)+len(rec.Removed) > 0 {
		return contains(rec.Candidates, id)
	}
	a := &p.actions[p.byID[id]]
	_, ok := a.allowed(p, p.def.Policy, nil, rec.DecidedAt)
	// Whether the person consented is not known then.
	return ok && (a.channel == nil || a.channel.Purpose == "" || p.def.Class != ClassAdvertising)
}

// traitsRead copies the traits that the decision reads, for the record, into a map
// that is empty or nil.
func traitsRead(p *point, view *profiles.View, out map[string]any) map[string]any {
	if view == nil {
		return out
	}
	for _, name := range p.traits {
		if v, ok := view.Traits[name]; ok {
			if out == nil {
				out = make(map[string]any, len(p.traits))
			}
			out[name] = v
		}
	}
	return out
}

func newDecisionID(at time.Time) string {
	return ulid.MustNew(ulid.Timestamp(at), rand.Reader).String()
}
