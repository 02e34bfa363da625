package decide

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"
	"unicode/utf8"

	"quintet/internal/problem"
	"quintet/profiles"
)

// Limits of a request.
const (
	maxIdentifiers     = 16
	maxIdentifierBytes = 256
	maxContextFields   = 100
	maxContextString   = 1024
	maxLimit           = 50
	maxBatch           = 500
)

// Request asks for one decision.
type Request struct {
	Decision string            `json:"decision" doc:"Key of the decision point"`
	User     map[string]string `json:"user" doc:"Identifiers of the person by namespace, for example userId or anonymousId"`
	Context  map[string]any    `json:"context,omitempty" doc:"What is known of the moment: strings, numbers and booleans by name"`
	Limit    int               `json:"limit,omitempty" doc:"Most items to answer with; 10 unless set" minimum:"0" maximum:"50"`
}

// Group says what a decision may be compared with.
type Group string

// Groups of a decision.
const (
	GroupTreated Group = "treated" // the policy acts
	GroupControl Group = "control" // the control variant of an experiment
	GroupHoldout Group = "holdout" // the universal holdout: no advertising at all
)

// Response is the answer to a [Request].
type Response struct {
	DecisionID   string       `json:"decisionId" doc:"Id to send with outcomes and to look the decision up"`
	Decision     string       `json:"decision" doc:"Key of the decision point"`
	Who          Who          `json:"who"`
	What         *What        `json:"what,omitempty"`
	Where        *Where       `json:"where,omitempty"`
	When         *When        `json:"when,omitempty"`
	How          *How         `json:"how,omitempty"`
	Propensity   float64      `json:"propensity" doc:"Probability with which this action was chosen"`
	Propensities Propensities `json:"propensities" doc:"Conditional probability of each factor; they multiply to the propensity"`
	Policy       PolicyRef    `json:"policy"`
	Experiments  []Enrolment  `json:"experiments" doc:"Experiments that the person is part of here" nullable:"false"`
	Fallback     bool         `json:"fallback" doc:"True when the default action was given because a decision could not be made or recorded"`
	Reason       string       `json:"fallbackReason,omitempty" doc:"Why the default action was given"`
	ExpiresAt    time.Time    `json:"expiresAt" doc:"Until when the answer may be used"`
}

// Who tells whether the person is addressed.
type Who struct {
	ProfileID string   `json:"profileId"`
	Eligible  bool     `json:"eligible" doc:"False when nothing may be sent; the reasons tell why"`
	Group     Group    `json:"group" enum:"treated,control,holdout"`
	Reasons   []string `json:"reasons" doc:"Rules that made the person ineligible" nullable:"false"`
}

// What is the offer with its items.
type What struct {
	Offer string `json:"offer"`
	Items []Item `json:"items" nullable:"false"`
}

// Item is one product of an answer.
type Item struct {
	ID     string  `json:"id"`
	Score  float64 `json:"score"`
	Reason string  `json:"reason"`
}

// Where is the channel.
type Where struct {
	Channel string `json:"channel"`
}

// When is the moment to act.
type When struct {
	SendAt time.Time `json:"sendAt"`
}

// How is the creative with its factors.
type How struct {
	Creative   string `json:"creative"`
	Tone       string `json:"tone,omitempty"`
	Emphasis   string `json:"emphasis,omitempty"`
	Background string `json:"background,omitempty"`
	Imagery    string `json:"imagery,omitempty"`
}

// Propensities are the conditional probabilities of the factors, in the order
// in which they are chosen: what, then where given what, then when, then how
// given both. Their product is the probability of the action.
type Propensities struct {
	What  float64 `json:"what"`
	Where float64 `json:"where"`
	When  float64 `json:"when"`
	How   float64 `json:"how"`
}

// PolicyRef names the policy that chose.
type PolicyRef struct {
	Key     string `json:"key" doc:"Key of the decision point whose policy chose"`
	Version int64  `json:"version" doc:"Version of the decision point's definition"`
	Type    string `json:"type" doc:"Kind of policy that chose" enum:"fixed,uniform,bandit,none,external"`
	Model   int64  `json:"model,omitempty" doc:"Version of the learned model; absent before there is one"`
}

// Enrolment is an experiment that a decision counts for.
type Enrolment struct {
	Key     string `json:"key"`
	Variant string `json:"variant"`
	Version int64  `json:"version,omitempty" doc:"Version of the experiment's definition"`
	How     string `json:"how,omitempty" doc:"How the person came to the variant if not by hash alone: forced, which counts in no report; keep, a variant that a sticky experiment keeps from now on; sticky, one that it kept"`
	Unit    string `json:"unit,omitempty" doc:"What was assigned, where that is not the profile"`
}

// validate checks a request and returns the person's identifiers, in a fixed
// order: the order in which namespaces win over one another.
func (r *Request) validate() ([]profiles.Identifier, error) { return r.validateInto(nil) }

// validateInto puts the identifiers into the space of room.
func (r *Request) validateInto(room []profiles.Identifier) ([]profiles.Identifier, error) {
	var bad problem.Invalid
	if r.Decision == "" {
		bad.Add("decision", "is required: the key of a decision point", nil)
	}
	ids := identifiers(r.User, "user", room, &bad)
	checkContext(r.Context, "context", &bad)
	if r.Limit < 0 || r.Limit > maxLimit {
		bad.Add("limit", "must be between 0 and 50", r.Limit)
	}
	if len(bad) == 0 {
		return ids, nil
	}
	// Maps have no order; the answer to the same mistakes has.
	sort.SliceStable(bad, func(i, j int) bool { return bad[i].Field < bad[j].Field })
	return ids, bad.Err()
}

func identifiers(user map[string]string, field string, room []profiles.Identifier, bad *problem.Invalid) []profiles.Identifier {
	if len(user) == 0 {
		bad.Add(field, "is required: at least one identifier such as userId", nil)
		return nil
	}
	if len(user) > maxIdentifiers {
		bad.Add(field, "must have at most 16 identifiers", len(user))
		return nil
	}
	ids := slices.Grow(room[:0], len(user))
	for ns, value := range user {
		switch {
		case ns == "" || len(ns) > 64 || !utf8.ValidString(ns):
			bad.Add(field, "a namespace must be 1 to 64 bytes of UTF-8", nil)
		case value == "":
			bad.Add(field+"."+ns, "must not be empty", nil)
		case len(value) > maxIdentifierBytes:
			bad.Add(field+"."+ns, "must be at most 256 bytes long", len(value))
		case !utf8.ValidString(value):
			bad.Add(field+"."+ns, "must be valid UTF-8", nil)
		}
		ids = append(ids, profiles.Identifier{Namespace: ns, Value: value})
	}
	if len(ids) > 1 {
		slices.SortFunc(ids, identifierOrder)
	}
	return ids
}

func identifierOrder(a, b profiles.Identifier) int {
	if c := cmp.Compare(identifierRank(a.Namespace), identifierRank(b.Namespace)); c != 0 {
		return c
	}
	return cmp.Compare(a.Namespace, b.Namespace)
}

func identifierRank(namespace string) int {
	switch namespace {
	case "userId":
		return 0
	case "email":
		return 1
	case "phone":
		return 2
	case "anonymousId":
		return 9
	}
	return 5
}

// checkContext takes flat scalars only: a decision must not depend on what a
// record cannot show. For the same reason texts are UTF-8, as JSON would change
// others on their way into the record.
func checkContext(values map[string]any, field string, bad *problem.Invalid) {
	if len(values) > maxContextFields {
		bad.Add(field, "must have at most 100 fields", len(values))
		return
	}
	for name, value := range values {
		if name == "" || len(name) > 128 || !utf8.ValidString(name) {
			bad.Add(field, "a field name must be 1 to 128 bytes of UTF-8", nil)
			continue
		}
		switch v := value.(type) {
		case nil, bool:
		case string:
			switch {
			case len(v) > maxContextString:
				bad.Add(field+"."+name, "must be at most 1024 bytes long", len(v))
			case !utf8.ValidString(v):
				bad.Add(field+"."+name, "must be valid UTF-8", nil)
			}
		case float64:
			if math.IsNaN(v) || math.IsInf(v, 0) {
				bad.Add(field+"."+name, "must be a finite number", nil)
			}
		default:
			bad.Add(field+"."+name, "must be a string, a number, a boolean or null", nil)
		}
	}
}
