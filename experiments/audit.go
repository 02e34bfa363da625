package experiments

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"quintet/experiments/assignment"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// PersonFacts are what an audit knows of a person.
type PersonFacts struct {
	Profile     string // id
	Identifiers []assignment.Identifier
	// Attributes are traits, computed attributes and segments as they are now.
	Attributes map[string]any
}

// PointStanding is what comes before experiments at a decision point, at some moment.
type PointStanding struct {
	Advertising bool         // whether the universal holdout and the named ones are respected
	Holdouts    []string     // keys of the named holdouts
	Groups      *PointGroups // nil without
}

// AssignmentAudit says why a unit got what it got of an experiment at a moment,
// computed again from the definitions that were valid then.
type AssignmentAudit struct {
	Experiment string                 `json:"experiment"`
	Version    int64                  `json:"version" doc:"Version of the experiment that was valid at the moment"`
	ValidFrom  time.Time              `json:"validFrom" doc:"Since when it was valid"`
	At         time.Time              `json:"at"`
	Asked      string                 `json:"asked" doc:"The unit as it was asked for"`
	Unit       string                 `json:"unit" doc:"The value that is assigned"`
	Assigned   bool                   `json:"assigned" doc:"Whether the unit took part"`
	Variant    string                 `json:"variant,omitempty"`
	How        string                 `json:"how,omitempty" doc:"forced or sticky, where it was not by hash"`
	Reason     string                 `json:"reason,omitempty" doc:"What kept the unit out"`
	Summary    string                 `json:"summary" doc:"The outcome in a sentence"`
	Steps      []assignment.TraceStep `json:"steps" nullable:"false" doc:"Everything that was looked at, in order"`
	Facts      string                 `json:"facts" doc:"Where what is known of the person comes from"`
	Attributes map[string]any         `json:"attributes" nullable:"false" doc:"What an audience could read"`
	Recorded   []RecordedVariant      `json:"recorded" nullable:"false" doc:"What the log says the unit got, first and last up to the moment"`
	Agrees     *bool                  `json:"agrees,omitempty" doc:"Whether the last recorded variant is the one computed here; absent when none was recorded"`
}

// RecordedVariant is one exposure in the log.
type RecordedVariant struct {
	Variant    string    `json:"variant"`
	ExposedAt  time.Time `json:"exposedAt"`
	DecisionID string    `json:"decisionId,omitempty"`
}

// auditTimeout bounds the queries of one audit.
const auditTimeout = 15 * time.Second

// Audit computes again what a unit got of an experiment at a moment. The unit is a
// profile id or namespace:value, or of an experiment with another unit its value.
func (s *Service) Audit(ctx context.Context, key, unit string, at time.Time) (*AssignmentAudit, error) {
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	if at.IsZero() {
		at = s.now()
	}
	at = at.UTC()
	var bad problem.Invalid
	checkUnit(&bad, "query.unit", unit)
	if at.After(s.now().Add(time.Minute)) {
		bad.Add("query.at", "must not be in the future", at.Format(time.RFC3339))
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	plan, version, err := s.planAt(ctx, key, at)
	if err != nil {
		return nil, err
	}
	t := plan.Trial(key)
	a := &AssignmentAudit{Experiment: key, Version: version.Version, ValidFrom: version.UpdatedAt, At: at, Asked: unit,
		Steps: []assignment.TraceStep{}, Attributes: map[string]any{}, Recorded: []RecordedVariant{}}
	who, err := s.auditSubject(ctx, t, a)
	if err != nil {
		return nil, err
	}
	a.Unit = who.Unit(t.Unit)
	if err := s.auditStanding(ctx, plan, t, who, a); err != nil {
		return nil, err
	}
	if a.Reason == "" {
		r, steps := t.Trace(who, at)
		a.Steps = append(a.Steps, steps...)
		if r.In() {
			a.Assigned, a.Variant, a.How = true, t.Variants[r.Variant].Key, string(r.Reason)
		} else {
			a.Reason = string(r.Reason)
		}
	}
	if err := s.auditLog(ctx, who.profile, a); err != nil {
		return nil, err
	}
	a.summarise(t)
	return a, nil
}

func (a *AssignmentAudit) summarise(t *Trial) {
	switch {
	case !a.Assigned:
		a.Summary = fmt.Sprintf("%s took no part in %s: %s.", a.Asked, a.Experiment, a.Reason)
	case a.How == string(assignment.ByForce):
		a.Summary = fmt.Sprintf("%s was forced into %s of %s.", a.Asked, a.Variant, a.Experiment)
	case a.How == string(assignment.ByKeeper):
		a.Summary = fmt.Sprintf("%s kept %s of %s, which it got first.", a.Asked, a.Variant, a.Experiment)
	default:
		a.Summary = fmt.Sprintf("%s got %s of %s by its hash.", a.Asked, a.Variant, a.Experiment)
	}
	if t.Point == "" {
		a.Summary += " The experiment is run elsewhere; what is said here of holdouts and audiences holds only where that asks for it."
	}
	if n := len(a.Recorded); n > 0 {
		agrees := a.Assigned && a.Recorded[n-1].Variant == a.Variant
		a.Agrees = &agrees
	}
}

// planAt makes a plan of an experiment and all that it refers to, as of a moment.
func (s *Service) planAt(ctx context.Context, key string, at time.Time) (*Plan, definitions.Versioned[Experiment], error) {
	src := Sources{
		Experiments: make(map[string]definitions.Versioned[Experiment]), Holdouts: make(map[string]definitions.Versioned[Holdout]),
		Layers: make(map[string]definitions.Versioned[Layer]), Flags: s.sources().Flags,
	}
	version, ok, err := s.experiments.AtTime(ctx, key, at)
	if err != nil {
		return nil, version, fmt.Errorf("loading experiment %s as of %s: %w", key, at.Format(time.RFC3339), err)
	}
	if !ok {
		return nil, version, problem.NotFound("experiment", fmt.Sprintf("%s at %s", problem.Clip(key), at.Format(time.RFC3339)))
	}
	src.Experiments[key] = version
	if err := fetch(ctx, s.holdouts, src.Holdouts, UniversalHoldout, at); err != nil {
		return nil, version, err
	}
	for queue := []string{key}; len(queue) > 0; queue = queue[1:] {
		e := src.Experiments[queue[0]].Value
		for _, h := range e.Holdouts {
			if err := fetch(ctx, s.holdouts, src.Holdouts, h, at); err != nil {
				return nil, version, err
			}
		}
		for _, l := range e.Layers {
			for layer := l.Layer; layer != "" && len(src.Layers) <= maxLayerRanges*maxLayerDepth; {
				if err := fetch(ctx, s.layers, src.Layers, layer, at); err != nil {
					return nil, version, err
				}
				parent := src.Layers[layer].Value.Parent
				if layer = ""; parent != nil {
					if _, known := src.Layers[parent.Layer]; !known {
						layer = parent.Layer
					}
				}
			}
		}
		for _, p := range e.Prerequisites {
			if _, known := src.Experiments[p.Experiment]; known || p.Experiment == "" {
				continue
			}
			if err := fetch(ctx, s.experiments, src.Experiments, p.Experiment, at); err != nil {
				return nil, version, err
			}
			if _, found := src.Experiments[p.Experiment]; found {
				queue = append(queue, p.Experiment)
			}
		}
	}
	return Compile(src), version, nil
}

// fetch adds a definition as it was at a moment, if there was one.
func fetch[T any](ctx context.Context, c *definitions.Collection[T], into map[string]definitions.Versioned[T], key string, at time.Time) error {
	v, ok, err := c.AtTime(ctx, key, at)
	if err != nil {
		return fmt.Errorf("loading %s of %s as of %s: %w", key, c.Kind(), at.Format(time.RFC3339), err)
	}
	if ok {
		into[key] = v
	}
	return nil
}

// audited is the unit of an audit as it was at the moment, as far as that is known.
type audited struct {
	profile string
	name    string // of the unit that was asked for
	value   string
	ids     []assignment.Identifier
	facts   map[string]any
	kept    *assignment.Kept
}

// Unit implements [assignment.Subject].
func (a *audited) Unit(name string) string {
	if name == assignment.Person {
		return a.profile
	}
	if name == a.name {
		return a.value
	}
	for _, id := range a.ids {
		if id.Namespace == name {
			return id.Value
		}
	}
	return ""
}

// Identifier implements [assignment.Subject].
func (a *audited) Identifier(i int) (namespace, value string, ok bool) {
	if i < len(a.ids) {
		return a.ids[i].Namespace, a.ids[i].Value, true
	}
	return "", "", false
}

// Attribute implements [assignment.Subject].
func (a *audited) Attribute(name string) (any, bool) {
	v, ok := a.facts[name]
	return v, ok
}

// Kept implements [assignment.Subject].
func (a *audited) Kept(string, string) (assignment.Kept, bool) {
	if a.kept == nil {
		return assignment.Kept{}, false
	}
	return *a.kept, true
}

// auditSubject finds out who was asked for and what was known of them.
func (s *Service) auditSubject(ctx context.Context, t *Trial, a *AssignmentAudit) (*audited, error) {
	who := &audited{profile: a.Asked, name: t.Unit, value: a.Asked, facts: map[string]any{}}
	a.Facts = "Nothing is known of this unit but its name."
	if s.person != nil {
		if p, ok := s.person(a.Asked); ok {
			who.profile, who.ids, who.facts = p.Profile, p.Identifiers, p.Attributes
			a.Facts = "Traits, computed attributes and segments are those of now: no decision of the time recorded them."
			if t.Unit != assignment.Person {
				who.value = ""
				for _, id := range who.ids {
					if id.Namespace == t.Unit {
						who.value = id.Value
					}
				}
			}
		}
	}
	if t.Point == "" || s.db == nil {
		a.Attributes = who.facts
		return who, nil
	}
	if err := s.recordedFacts(ctx, t, who, a); err != nil {
		return nil, err
	}
	a.Attributes = who.facts
	return who, nil
}

// recordedFacts takes what the last decision up to the moment read of the person, and
// what a sticky experiment kept.
func (s *Service) recordedFacts(ctx context.Context, t *Trial, who *audited, a *AssignmentAudit) error {
	rows, err := s.db.Read.Query(ctx, `SELECT decision_id, decided_at, audience, context FROM decisions
		WHERE decision_point = ? AND profile_id = ? AND decided_at <= fromUnixTimestamp64Milli(?) ORDER BY decided_at DESC LIMIT 1`, t.Point, who.profile, a.At.UnixMilli())
	if err != nil {
		return fmt.Errorf("reading what a decision recorded: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, audience, moment string
		var at time.Time
		if err := rows.Scan(&id, &at, &audience, &moment); err != nil {
			return fmt.Errorf("reading what a decision recorded: %w", err)
		}
		facts := map[string]any{}
		if err := json.Unmarshal([]byte(audience), &facts); err != nil {
			return fmt.Errorf("reading what decision %s recorded: %w", id, err)
		}
		var situation map[string]any
		if err := json.Unmarshal([]byte(moment), &situation); err != nil {
			return fmt.Errorf("reading the context of decision %s: %w", id, err)
		}
		if len(facts) > 0 || t.Audience == nil {
			who.facts = facts
			a.Facts = fmt.Sprintf("As decision %s recorded them at %s.", id, at.UTC().Format(time.RFC3339))
		}
		who.facts["context"] = situation
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading what a decision recorded: %w", err)
	}
	if !t.Sticky {
		return nil
	}
	return s.recordedKept(ctx, t, who, a)
}

func (s *Service) recordedKept(ctx context.Context, t *Trial, who *audited, a *AssignmentAudit) error {
	rows, err := s.db.Read.Query(ctx, `SELECT variants[indexOf(experiments, ?)] AS variant, experiment_versions[indexOf(experiments, ?)] AS version
		FROM decisions WHERE decision_point = ? AND profile_id = ? AND decided_at < fromUnixTimestamp64Milli(?) AND has(experiments, ?)
		AND experiment_how[indexOf(experiments, ?)] IN ('keep', 'sticky') ORDER BY decided_at DESC LIMIT 1`,
		t.Key, t.Key, t.Point, who.profile, a.At.UnixMilli(), t.Key, t.Key)
	if err != nil {
		return fmt.Errorf("reading what was kept: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var variant string
		var version uint64
		if err := rows.Scan(&variant, &version); err != nil {
			return fmt.Errorf("reading what was kept: %w", err)
		}
		v, err := s.experiments.AtVersion(ctx, t.Key, int64(version))
		if err != nil {
			return fmt.Errorf("loading version %d of experiment %s: %w", version, t.Key, err)
		}
		i := slices.IndexFunc(t.Variants, func(v Variant) bool { return v.Key == variant })
		who.kept = &assignment.Kept{Variant: i, Version: v.Value.BucketVersion}
	}
	return rows.Err()
}

// auditStanding applies what comes before experiments at a decision point.
func (s *Service) auditStanding(ctx context.Context, plan *Plan, t *Trial, who *audited, a *AssignmentAudit) error {
	if t.Point == "" || s.pointAt == nil || t.Forces(who) {
		return nil
	}
	p, ok, err := s.pointAt(ctx, t.Point, a.At)
	if err != nil || !ok {
		return err
	}
	if p.Advertising {
		for _, key := range append([]string{UniversalHoldout}, p.Holdouts...) {
			h := plan.Holdout(key)
			if h == nil {
				if v, found, err := s.holdouts.AtTime(ctx, key, a.At); err != nil {
					return fmt.Errorf("loading holdout %s as of %s: %w", key, a.At.Format(time.RFC3339), err)
				} else if found {
					h = CompileHoldout(v)
				}
			}
			if h == nil {
				continue
			}
			side, step := h.Trace(who.profile)
			a.Steps = append(a.Steps, step)
			if side != assignment.Outside {
				a.Reason = string(h.Reason(side))
				return nil
			}
		}
	}
	if p.Groups == nil || p.Groups.Yield {
		return nil // experiments come first
	}
	part, step := p.Groups.Compile(t.Point).Trace(who.profile)
	a.Steps = append(a.Steps, step)
	switch part {
	case assignment.First:
		a.Reason = "group:" + RandomVariant
	case assignment.Last:
		a.Reason = "group:" + BusinessVariant
	}
	return nil
}

// auditLog adds the first and the last exposure up to the moment.
func (s *Service) auditLog(ctx context.Context, profile string, a *AssignmentAudit) error {
	if s.db == nil {
		return nil
	}
	rows, err := s.db.Read.Query(ctx, `SELECT variant, exposed_at, decision_id FROM exposures
		WHERE experiment = ? AND unit = ? AND exposed_at <= fromUnixTimestamp64Milli(?) ORDER BY exposed_at, decision_id LIMIT 1 BY decision_id LIMIT 10000`, a.Experiment, profile, a.At.UnixMilli())
	if err != nil {
		return fmt.Errorf("reading exposures: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r RecordedVariant
		if err := rows.Scan(&r.Variant, &r.ExposedAt, &r.DecisionID); err != nil {
			return fmt.Errorf("reading exposures: %w", err)
		}
		r.ExposedAt = r.ExposedAt.UTC()
		if len(a.Recorded) < 2 {
			a.Recorded = append(a.Recorded, r)
		} else {
			a.Recorded[1] = r
		}
	}
	return rows.Err()
}
