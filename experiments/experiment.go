package experiments

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"quintet/internal/problem"
)

// Status is where an experiment is in its life: draft, perhaps in review, then
// running, then stopped, in the end archived. Nothing that has started goes
// back, so that one report covers one uninterrupted period.
type Status string

// The states of an experiment.
const (
	Draft    Status = "draft"
	Review   Status = "review"
	Running  Status = "running"
	Stopped  Status = "stopped"
	Archived Status = "archived"
)

// Experiment is the definition of an A/B(/n) test.
type Experiment struct {
	Name          string  `json:"name,omitempty" maxLength:"200" doc:"Name shown in the console"`
	Hypothesis    string  `json:"hypothesis,omitempty" maxLength:"2000" doc:"What is expected to happen, and why"`
	DecisionPoint string  `json:"decisionPoint,omitempty" doc:"Decision point whose policy the variants override. Empty for an experiment that another system runs and that is measured by its exposure events"`
	Status        Status  `json:"status,omitempty" enum:"draft,review,running,stopped,archived" doc:"Changed by submit, approve, reject, start, stop and archive only"`
	Salt          string  `json:"salt,omitempty" maxLength:"256" doc:"Seed of the assignment; the key unless given. Fixed once the experiment has started"`
	Coverage      float64 `json:"coverage,omitempty" minimum:"0" maximum:"1" doc:"Share of all people who take part; 0 or absent means everyone"`
	Targeting
	Variants    []Variant   `json:"variants" minItems:"2" maxItems:"100" nullable:"false" doc:"What people get. Exactly one variant is the control. Fixed once the experiment has started, except for names"`
	Metrics     []string    `json:"metrics,omitempty" maxItems:"50" nullable:"false" doc:"Keys of the metrics that decide; the first is the one that the plan is made for"`
	Secondary   []string    `json:"secondary,omitempty" maxItems:"50" nullable:"false" doc:"Keys of metrics that are shown and decide nothing"`
	Guardrails  []Guardrail `json:"guardrails,omitempty" maxItems:"20" nullable:"false" doc:"Metrics that no arm may harm"`
	Analysis    *Analysis   `json:"analysis,omitempty" doc:"How the report draws its conclusions. Fixed once the experiment has started"`
	Ramp        *Ramp       `json:"ramp,omitempty" doc:"How the coverage widens after the start"`
	StartAt     *time.Time  `json:"startAt,omitempty" doc:"When an experiment that was told to start does so; at once unless given"`
	EndAt       *time.Time  `json:"endAt,omitempty" doc:"When it stops by itself"`
	StartedAt   *time.Time  `json:"startedAt,omitempty" doc:"Set by start"`
	StoppedAt   *time.Time  `json:"stoppedAt,omitempty" doc:"Set by stop"`
	Approvals   []Approval  `json:"approvals,omitempty" maxItems:"20" nullable:"false" doc:"Set by approve; an edit removes them"`
	EditedBy    string      `json:"editedBy,omitempty" maxLength:"320" doc:"Who last changed the definition itself. Set by the service"`
	ScheduledBy string      `json:"scheduledBy,omitempty" maxLength:"320" doc:"Who told it to start at startAt. Set by start, removed by an edit"`
	RampedAt    *time.Time  `json:"rampedAt,omitempty" doc:"When the last step of the ramp was taken. Set by the service"`
	Change      *Change     `json:"change,omitempty" doc:"What this version came about by. With a PUT only the reason is taken"`
}

// Approval is somebody's word that an experiment may start as it is.
type Approval struct {
	By      string    `json:"by" maxLength:"320"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitempty" maxLength:"2000"`
}

// Change says what a version of an experiment came about by.
type Change struct {
	Action string `json:"action,omitempty" maxLength:"32" doc:"edit, submit, approve, reject, schedule, start, ramp, drop, stop, roll-back or archive"`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"Why, in the words of who did it"`
}

// Variant is one arm of an experiment.
type Variant struct {
	Key     string  `json:"key" minLength:"1" maxLength:"64"`
	Name    string  `json:"name,omitempty" maxLength:"200"`
	Weight  float64 `json:"weight" minimum:"0" maximum:"1" doc:"Share of the people in the experiment; the weights sum to 1"`
	Control bool    `json:"control,omitempty" doc:"The arm that the others are compared with"`
	Dropped bool    `json:"dropped,omitempty" doc:"The arm was taken out: its people leave the experiment, those of the others stay where they are. A dropped arm does not come back"`
	// Policy is opaque here: decide gives it its meaning.
	Policy json.RawMessage `json:"policy,omitempty" doc:"Overrides the decision point's policy for people of this variant; absent means the decision point's own, or its default action for the control"`
}

// Weights of the variants, in their order.
func (e *Experiment) Weights() []float64 {
	w := make([]float64, len(e.Variants))
	for i := range e.Variants {
		w[i] = e.Variants[i].Weight
	}
	return w
}

// control is the index of the control variant, −1 without one.
func (e *Experiment) control() int {
	return slices.IndexFunc(e.Variants, func(v Variant) bool { return v.Control })
}

// coverage is the share of people who take part.
func (e *Experiment) coverage() float64 {
	if e.Coverage == 0 {
		return 1
	}
	return e.Coverage
}

const (
	maxMetrics   = 50
	maxNameRunes = 200
	maxTextRunes = 2000
	maxKeyLength = 64
)

// normalise fills in what a definition may leave out.
func (e *Experiment) normalise(key string) {
	if e.Status == "" {
		e.Status = Draft
	}
	if e.Salt == "" {
		e.Salt = key
	}
	e.Coverage = e.coverage()
}

// validate checks a definition on its own.
func (e *Experiment) validate() problem.Invalid {
	var bad problem.Invalid
	checkText(&bad, "name", e.Name, maxNameRunes)
	checkText(&bad, "hypothesis", e.Hypothesis, maxTextRunes)
	if !slices.Contains([]Status{Draft, Review, Running, Stopped, Archived}, e.Status) {
		bad.Add("status", "must be draft, review, running, stopped or archived", e.Status)
	}
	checkSalt(&bad, "salt", e.Salt)
	if !(e.Coverage > 0 && e.Coverage <= 1) {
		bad.Add("coverage", "must be above 0 and at most 1", number(e.Coverage))
	}
	if len(e.DecisionPoint) > maxKeyLength {
		bad.Add("decisionPoint", fmt.Sprintf("must have at most %d characters", maxKeyLength), len(e.DecisionPoint))
	}
	e.validateVariants(&bad)
	e.validateAnalysis(&bad)
	e.validateSchedule(&bad)
	e.validateTargeting(&bad)
	if len(e.Metrics) > maxMetrics {
		bad.Add("metrics", fmt.Sprintf("must have at most %d entries", maxMetrics), len(e.Metrics))
	}
	for i, m := range e.Metrics {
		if first := slices.Index(e.Metrics, m); first < i {
			bad.Add(fmt.Sprintf("metrics[%d]", i), fmt.Sprintf("must differ from metrics[%d]", first), m)
		}
	}
	return bad
}

func (e *Experiment) validateVariants(bad *problem.Invalid) {
	checkWeights(bad, e.Weights())
	controls := 0
	seen := make(map[string]int, len(e.Variants))
	for i, v := range e.Variants {
		at := func(field string) string { return fmt.Sprintf("variants[%d].%s", i, field) }
		if v.Key == "" || len(v.Key) > maxKeyLength || !utf8.ValidString(v.Key) || strings.ContainsFunc(v.Key, func(r rune) bool { return r < ' ' }) {
			bad.Add(at("key"), fmt.Sprintf("must have 1 to %d printable characters", maxKeyLength), v.Key)
		} else if first, ok := seen[v.Key]; ok {
			bad.Add(at("key"), fmt.Sprintf("must differ from variants[%d].key", first), v.Key)
		} else {
			seen[v.Key] = i
		}
		checkText(bad, at("name"), v.Name, maxNameRunes)
		if len(v.Policy) > 0 && !json.Valid(v.Policy) {
			bad.Add(at("policy"), "must be JSON", string(v.Policy))
		}
		if v.Control {
			controls++
		}
	}
	if controls != 1 {
		bad.Add("variants", "must have exactly one control variant", controls)
	}
}

// keepStarted refuses changes that would re-assign people of an experiment
// that has started, or change what they were assigned to.
func (e *Experiment) keepStarted(was *Experiment, bad *problem.Invalid) {
	if was.StartedAt == nil {
		return
	}
	const rule = "cannot change once the experiment has started; copy the experiment to a new key"
	if e.Salt != was.Salt {
		bad.Add("salt", rule, e.Salt)
	}
	if e.DecisionPoint != was.DecisionPoint {
		bad.Add("decisionPoint", rule, e.DecisionPoint)
	}
	if e.Coverage < was.Coverage {
		bad.Add("coverage", "cannot fall once the experiment has started: people would leave it", number(e.Coverage))
	}
	e.keepAnalysis(was, bad)
	e.keepTargeting(was, bad)
	if len(e.Variants) != len(was.Variants) {
		bad.Add("variants", rule, len(e.Variants))
		return
	}
	for i := range e.Variants {
		now, before := &e.Variants[i], &was.Variants[i]
		at := func(field string) string { return fmt.Sprintf("variants[%d].%s", i, field) }
		if now.Key != before.Key {
			bad.Add(at("key"), rule, now.Key)
		}
		if now.Weight != before.Weight && !e.Sticky {
			bad.Add(at("weight"), rule+", or make it sticky from the start", number(now.Weight))
		}
		if before.Dropped && !now.Dropped {
			bad.Add(at("dropped"), "cannot be taken back: its people were without the variant", false)
		}
		if now.Control != before.Control {
			bad.Add(at("control"), rule, now.Control)
		}
		if !sameJSON(now.Policy, before.Policy) {
			bad.Add(at("policy"), rule, string(now.Policy))
		}
	}
}

// sameJSON compares values, not bytes: a round trip through a database may
// order keys and space differently.
func sameJSON(a, b json.RawMessage) bool {
	decode := func(raw json.RawMessage) (v any) {
		if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
			return nil
		}
		return v
	}
	return reflect.DeepEqual(decode(a), decode(b))
}

func checkText(bad *problem.Invalid, field, text string, limit int) {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > limit {
		bad.Add(field, fmt.Sprintf("must be UTF-8 text of at most %d characters", limit), utf8.RuneCountInString(text))
	}
}
