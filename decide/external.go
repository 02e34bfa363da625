package decide

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/oklog/ulid/v2"

	"quintet/experiments/assignment"
	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/internal/stream"
)

// policyExternal marks decisions that another system made and logged here.
const policyExternal = "external"

// maxExternal is the most decisions that one call may log.
const maxExternal = 1000

// maxEnrolments is the most experiments that one of them may count for.
const maxEnrolments = 20

// External is a decision that another system made: with its probabilities it
// can be reported on, learned from and evaluated like our own.
type External struct {
	DecisionID    string            `json:"decisionId" doc:"ULID that identifies the decision; logging it again changes nothing" minLength:"26" maxLength:"26"`
	Decision      string            `json:"decision" doc:"Key of the decision point"`
	User          map[string]string `json:"user" doc:"Identifiers of the person by namespace"`
	DecidedAt     time.Time         `json:"decidedAt"`
	Action        string            `json:"action" doc:"offer/channel/creative, or none"`
	Candidates    []string          `json:"candidates" doc:"Actions that could have been chosen" minItems:"1" maxItems:"1001"`
	Probabilities []float64         `json:"probabilities" doc:"Probability of each candidate; they sum to 1" minItems:"1" maxItems:"1001"`
	Experiments   []Enrolment       `json:"experiments,omitempty" maxItems:"20"`
	Group         Group             `json:"group,omitempty" doc:"treated unless set" enum:"treated,control,holdout"`
	ContactCost   float64           `json:"contactCost,omitempty" minimum:"0"`
	Context       map[string]any    `json:"context,omitempty"`
}

func (s *Service) importRoutes(a huma.API) {
	type input struct {
		Body struct {
			Decisions []External `json:"decisions" minItems:"1" maxItems:"1000"`
		}
	}
	type output struct {
		Body struct {
			Accepted int `json:"accepted" doc:"Number of decisions that are now durable"`
			Erased   int `json:"erased,omitempty" doc:"Decisions about people who were erased; they are not stored"`
		}
	}
	op := huma.Operation{
		OperationID: "log-decisions", Method: http.MethodPost, Path: "/v1/decisions", Tags: []string{"Decisions"},
		Summary:     "Log decisions that another system made",
		Description: "All or nothing: with one bad decision none is logged. The same decision id logged again changes nothing.",
		Errors:      []int{400, 401, 403, 413, 422, 429}, MaxBodyBytes: maxBatchBody, DefaultStatus: http.StatusOK,
	}
	api.Require(api.ScopeIngest)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		n, err := s.LogExternal(ctx, in.Body.Decisions, source(ctx))
		if err != nil {
			return nil, err
		}
		out := new(output)
		out.Body.Accepted, out.Body.Erased = n, len(in.Body.Decisions)-n
		return out, nil
	})
}

// LogExternal records decisions of another system and returns when they are
// durable, and their number without those about people who were erased, which are left
// out. It returns a [problem.Invalid] that names every bad field, in which case nothing
// is recorded. Decisions that the log has already are left alone.
func (s *Service) LogExternal(ctx context.Context, list []External, source string) (int, error) {
	if len(list) == 0 || len(list) > maxExternal {
		var bad problem.Invalid
		bad.Add("decisions", "must have 1 to 1000 entries", len(list))
		return 0, bad
	}
	side := s.enter()
	defer s.leave(side)
	var bad problem.Invalid
	records := make([]*Record, len(list))
	for i := range list {
		records[i] = s.external(&list[i], "decisions["+itoa(i)+"].", source, &bad)
		if len(bad) > 50 {
			break
		}
	}
	if err := bad.Err(); err != nil {
		return 0, err
	}
	records = slices.DeleteFunc(records, func(rec *Record) bool { return rec == nil })
	known := s.known(ctx, records)
	for _, rec := range records {
		if known[rec.DecisionID] {
			continue
		}
		known[rec.DecisionID] = true
		data, err := encodeRecord(rec)
		if err != nil {
			return 0, err
		}
		if _, err := s.topic.Append(ctx, data); err != nil {
			if errors.Is(err, stream.ErrFull) {
				return 0, problem.TooBusy(5*time.Second, "The stream of decisions is full; the same call can be repeated.")
			}
			return 0, err
		}
		s.recent.add(rec, data)
	}
	return len(records), nil
}

// known finds out which of the decisions are recorded already. It may miss some:
// rows of one id become one in ClickHouse sooner or later, but until then counts
// that go over all rows would be too high.
func (s *Service) known(ctx context.Context, records []*Record) map[string]bool {
	known := make(map[string]bool, len(records))
	points := make(map[string]bool)
	ids := make([]string, 0, len(records))
	for _, rec := range records {
		if s.recent.has(rec.DecisionID) {
			known[rec.DecisionID] = true
			continue
		}
		points[rec.Decision] = true
		ids = append(ids, rec.DecisionID)
	}
	if len(ids) == 0 {
		return known
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	rows, err := s.db.Read.Query(ctx, "SELECT decision_id FROM decisions WHERE decision_point IN (?) AND decision_id IN (?)",
		slices.Sorted(maps.Keys(points)), ids)
	if err != nil {
		s.log.Warn("looking for decisions that were logged before", "error", err)
		return known
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			break
		}
		known[id] = true
	}
	if err := rows.Err(); err != nil {
		s.log.Warn("looking for decisions that were logged before", "error", err)
	}
	return known
}

func (s *Service) external(e *External, at, source string, bad *problem.Invalid) *Record {
	before := len(*bad)
	if id, err := ulid.ParseStrict(e.DecisionID); err != nil {
		bad.Add(at+"decisionId", "must be a ULID", problem.Clip(e.DecisionID))
	} else if ulid.Time(id.Time()).After(s.now().Add(time.Hour)) {
		// Lists are in the order of ids: it would be the newest decision for ever.
		bad.Add(at+"decisionId", "must be a ULID of a time that has come", e.DecisionID)
	} else {
		e.DecisionID = id.String() // one id has one spelling
	}
	p, known := s.state.Load().points[e.Decision]
	if !known {
		bad.Add(at+"decision", "must be the key of a decision point", problem.Clip(e.Decision))
	}
	ids := identifiers(e.User, at+"user", nil, bad)
	checkContext(e.Context, at+"context", bad)
	if e.DecidedAt.IsZero() || e.DecidedAt.After(s.now().Add(time.Hour)) || e.DecidedAt.Before(s.now().AddDate(-20, 0, 0)) {
		bad.Add(at+"decidedAt", "must be a time of the last 20 years", e.DecidedAt)
	}
	if !(e.ContactCost >= 0) || math.IsInf(e.ContactCost, 0) {
		bad.Add(at+"contactCost", "must be a number of at least 0", nil)
	}
	chosen := checkDistribution(e, at, bad)
	checkEnrolments(e.Experiments, at+"experiments", bad)
	switch e.Group {
	case "":
		e.Group = GroupTreated
	case GroupTreated, GroupControl, GroupHoldout:
	default:
		bad.Add(at+"group", "must be treated, control or holdout", e.Group)
	}
	if len(*bad) > before || s.erased(ids) {
		return nil
	}
	rec := &Record{
		DecisionID: e.DecisionID, DecidedAt: e.DecidedAt.UTC().Truncate(time.Millisecond), Decision: e.Decision,
		PointVersion: p.version, Class: p.def.Class, ProfileID: s.people.Resolve(ids), Group: e.Group, Eligible: true,
		Action: e.Action, Candidates: e.Candidates, Probabilities: e.Probabilities, Propensity: e.Probabilities[chosen],
		Propensities: Propensities{What: e.Probabilities[chosen], Where: 1, When: 1, How: 1},
		Policy:       policyExternal, Experiments: e.Experiments, ContactCost: e.ContactCost, Source: source, Context: e.Context,
	}
	rec.SendAt = rec.DecidedAt
	if parts := strings.Split(e.Action, "/"); len(parts) == 3 {
		rec.Offer, rec.Channel, rec.Creative = parts[0], parts[1], parts[2]
	}
	if view, ok := s.people.Lookup(ids); ok {
		rec.Traits = traitsRead(p, view, nil)
	}
	// With features the decision can teach a bandit; without, it still counts in
	// reports.
	sc := s.scratch.Get().(*scratch)
	defer s.scratch.Put(sc)
	_ = p.encode(rec, sc)
	return rec
}

func checkEnrolments(list []Enrolment, at string, bad *problem.Invalid) {
	if len(list) > maxEnrolments {
		bad.Add(at, "must have at most 20 entries", len(list))
		return
	}
	for i, x := range list {
		if !validKey(x.Key) || !validKey(x.Variant) || x.Version < 0 {
			bad.Add(at+"["+itoa(i)+"]", "must have the key of an experiment and of a variant", nil)
		}
		if x.How != "" && x.How != string(assignment.ByForce) {
			bad.Add(at+"["+itoa(i)+"].how", "must be forced or absent: what is kept is kept here", problem.Clip(x.How))
		}
		if len(x.Unit) > maxIdentifierBytes || !utf8.ValidString(x.Unit) {
			bad.Add(at+"["+itoa(i)+"].unit", "must be at most 256 bytes of UTF-8", len(x.Unit))
		}
		for j := range i {
			if list[j].Key == x.Key {
				bad.Add(at+"["+itoa(i)+"].key", "must be unique", x.Key)
				break
			}
		}
	}
}

// checkDistribution checks candidates and probabilities and finds the chosen one.
func checkDistribution(e *External, at string, bad *problem.Invalid) (chosen int) {
	if len(e.Candidates) != len(e.Probabilities) || len(e.Candidates) == 0 || len(e.Candidates) > maxActions+1 {
		bad.Add(at+"probabilities", "must have as many entries as candidates, 1 to 1001", len(e.Probabilities))
		return 0
	}
	chosen, sum := -1, 0.0
	seen := make(map[string]bool, len(e.Candidates))
	for i, c := range e.Candidates {
		if c == "" || len(c) > 200 || !utf8.ValidString(c) {
			bad.Add(at+"candidates["+itoa(i)+"]", "must be 1 to 200 bytes of UTF-8", nil)
		} else if seen[c] {
			bad.Add(at+"candidates["+itoa(i)+"]", "must be unique", c)
		}
		seen[c] = true
		if q := e.Probabilities[i]; !(q >= 0 && q <= 1) {
			bad.Add(at+"probabilities["+itoa(i)+"]", "must be between 0 and 1", nil)
		}
		sum += e.Probabilities[i]
		if c == e.Action {
			chosen = i
		}
	}
	if !(math.Abs(sum-1) <= 1e-6) {
		bad.Add(at+"probabilities", "must sum to 1", sum)
	}
	switch {
	case chosen < 0:
		bad.Add(at+"action", "must be one of the candidates", problem.Clip(e.Action))
	case !(e.Probabilities[chosen] > 0):
		bad.Add(at+"action", "must have a probability above 0", nil)
	}
	return max(chosen, 0)
}
