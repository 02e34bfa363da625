package decide

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"quintet/experiments/assignment"
	"quintet/internal/problem"
	"quintet/models"
	"quintet/models/bandits"
)

// Policy types.
const (
	PolicyFixed       = "fixed"
	PolicyUniform     = "uniform"
	PolicyRules       = "rules"
	PolicyBandit      = "bandit"
	PolicyModel       = "model"
	PolicyRecommender = "recommender"
)

// Methods of a bandit.
const (
	MethodThompson = "thompson"
	MethodSquareCB = "squarecb"
	MethodGreedy   = "greedy"
	MethodBeta     = "beta" // the only one that learns without features
)

// Policy says how an action is chosen among the eligible ones.
type Policy struct {
	Type         string   `json:"type" doc:"fixed: always one action; uniform: all alike; rules: by the first rule that has the person; bandit: learned here; model: by the effect that a predictive model expects; recommender: the offer whose first recommended item promises most" enum:"fixed,uniform,rules,bandit,model,recommender"`
	Action       string   `json:"action,omitempty" doc:"Action of a fixed policy; the default action unless set"`
	Exploration  *float64 `json:"exploration,omitempty" doc:"Share of decisions spread evenly over all eligible actions (bandit: 0.01 to 1; bandit, model and recommender: 0.05 unless set; rules: 0 unless set)"`
	Alpha        float64  `json:"alpha,omitempty" doc:"Scale of the posterior standard deviation of a bandit; 0.5 unless set"`
	Method       string   `json:"method,omitempty" enum:"thompson,squarecb,greedy,beta" doc:"How a bandit turns what it expects into probabilities: thompson (the probability of being the best; unless set), squarecb (by the inverse gap to the best), greedy (the best; with exploration ε-greedy) or, for decision points without features whose reward is yes or no, beta (Thompson sampling of beta distributions)"`
	Gamma        float64  `json:"gamma,omitempty" doc:"For squarecb: how fast probabilities fall with the gap, times the square root of the decisions learned from; 6 unless set"`
	HalfLifeDays float64  `json:"halfLifeDays,omitempty" doc:"Age at which an observation counts half for a bandit; 30 unless set"`
	Rules        []Rule   `json:"rules,omitempty" maxItems:"100" doc:"For rules: the first that has the person, and of whose actions one is left, decides; without one it is the default action"`
	Model        string   `json:"model,omitempty" maxLength:"64" doc:"For model: key of a predictive model of uplift. Where it says nothing of a person they get the default action"`
	Treatment    string   `json:"treatment,omitempty" enum:"offer,channel,creative,action" doc:"For model: what the treatments of its experiment are called here; offer unless set"`
	// Where and How have policies of their own for the stages after what.
	Where *Policy `json:"where,omitempty" doc:"Policy of the channel, given the offer; that of the whole unless set"`
	How   *Policy `json:"how,omitempty" doc:"Policy of the creative, given offer and channel; that of the whole unless set"`

	Exposure []Exposure `json:"exposure,omitempty" maxItems:"50" doc:"Bounds of how probable actions are whatever the policy makes of them: minima of exploration, and fair shares. An action belongs to the first that has the person and it"`

	rules    []compiledRule // for the actions of a point, where it is compiled
	exposure []compiledExposure

	// What follows is about learning, and of no effect on policies without a model.
	WindowDays    float64 `json:"windowDays,omitempty" doc:"Days that a bandit looks back; as far as the half-life reaches unless set"`
	PriorWeight   float64 `json:"priorWeight,omitempty" doc:"Decisions' worth of what the other actions taught that an action of a bandit starts from; 10 unless set"`
	CorrectDelays bool    `json:"correctDelays,omitempty" doc:"Whether a bandit counts young decisions for the share of their reward that has usually come by their age"`
	LargestWeight float64 `json:"largestWeight,omitempty" doc:"Largest importance weight: a bandit then counts a decision by one over its probability, up to this; all alike unless set"`
	Live          *bool   `json:"live,omitempty" doc:"Whether a bandit learns from every outcome within seconds, between its builds; true unless set to false"`
}

func (p *Policy) validate(bad *problem.Invalid, field string, point *DecisionPoint) {
	switch p.Type {
	case PolicyFixed:
		if p.Action == "" {
			p.Action = point.DefaultAction
		}
		if p.Action != NoneAction && !point.has(p.Action) {
			bad.Add(field+".action", "must be none or an offer/channel/creative of this decision point", p.Action)
		}
	case PolicyUniform:
	case PolicyRules:
		validateRules(bad, field+".rules", p.Rules, point)
		p.validateExploration(bad, field, 0)
	case PolicyModel, PolicyRecommender:
		p.validateValued(bad, field)
		p.validateExploration(bad, field, 0.05)
	case PolicyBandit:
		if p.Exploration == nil {
			p.Exploration = new(0.05)
		}
		if !(*p.Exploration >= 0.01 && *p.Exploration <= 1) {
			bad.Add(field+".exploration", "must be between 0.01 and 1", nil)
		}
		if p.Alpha == 0 {
			p.Alpha = 0.5
		}
		if !(p.Alpha > 0 && p.Alpha <= 10) {
			bad.Add(field+".alpha", "must be above 0 and at most 10", nil)
		}
		if p.HalfLifeDays == 0 {
			p.HalfLifeDays = 30
		}
		if !(p.HalfLifeDays > 0 && p.HalfLifeDays <= 3650) {
			bad.Add(field+".halfLifeDays", "must be above 0 and at most 3650", nil)
		}
		p.validateLearning(bad, field, point)
	default:
		bad.Add(field+".type", "must be fixed, uniform, rules, bandit, model or recommender", p.Type)
	}
	if p.Type != PolicyRules && len(p.Rules) > 0 {
		bad.Add(field+".rules", "are for the type rules", nil)
	}
	if p.Type != PolicyModel && p.Model != "" {
		bad.Add(field+".model", "is for the type model", p.Model)
	}
	validateExposure(bad, field+".exposure", p.Exposure, point)
	if p.Where != nil || p.How != nil {
		p.validateStages(bad, field, point)
	}
}

// validateExploration checks the share of exploration of a policy that can do without.
func (p *Policy) validateExploration(bad *problem.Invalid, field string, unset float64) {
	if p.Exploration == nil {
		p.Exploration = new(unset)
	}
	if !(*p.Exploration >= 0 && *p.Exploration <= 1) {
		bad.Add(field+".exploration", "must be between 0 and 1", nil)
	}
}

// validateLearning checks what a bandit learns by.
func (p *Policy) validateLearning(bad *problem.Invalid, field string, point *DecisionPoint) {
	switch p.Method {
	case "", MethodThompson, MethodGreedy:
	case MethodSquareCB:
		if p.Gamma == 0 {
			p.Gamma = bandits.DefaultGamma
		}
		if !(p.Gamma > 0 && p.Gamma <= 1e6) {
			bad.Add(field+".gamma", "must be above 0 and at most 1000000", nil)
		}
	case MethodBeta:
		if len(point.Features) > 0 {
			bad.Add(field+".method", "must not be beta where the decision point has features", p.Method)
		}
	default:
		bad.Add(field+".method", "must be thompson, squarecb, greedy or beta", p.Method)
	}
	if p.Gamma != 0 && p.Method != MethodSquareCB {
		bad.Add(field+".gamma", "is for the method squarecb", nil)
	}
	if !(p.WindowDays >= 0 && p.WindowDays <= 3650) {
		bad.Add(field+".windowDays", "must be from 0 to 3650", nil)
	}
	if !(p.PriorWeight >= 0 && p.PriorWeight <= 1e6) {
		bad.Add(field+".priorWeight", "must be from 0 to 1000000", nil)
	}
	if p.LargestWeight != 0 && !(p.LargestWeight >= 1 && p.LargestWeight <= 1000) {
		bad.Add(field+".largestWeight", "must be 0 or from 1 to 1000", nil)
	}
}

// override lays the policy of an experiment's variant over a base policy:
// fields that the variant does not name keep the base's value. It returns a
// [problem.Invalid] for what is not a policy of the point.
func (p Policy) override(variant json.RawMessage, point *DecisionPoint) (Policy, error) {
	if len(variant) == 0 {
		return p, nil
	}
	out := p.clone() // decoding must not write through shared pointers
	out.ownType(variant)
	var bad problem.Invalid
	decoder := json.NewDecoder(bytes.NewReader(variant))
	// A misspelt field would silently test the same policy against itself.
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&out)
	if err == nil && decoder.More() {
		err = errors.New("something follows it")
	}
	if err != nil {
		bad.Add("policy", "must be an object with the members of a policy: "+err.Error(), nil)
		return Policy{}, bad
	}
	out.validate(&bad, "policy", point)
	return out, bad.Err()
}

// ValidateVariantPolicy checks the policy of an experiment's variant against
// the decision point that it would run on. It returns a [problem.Invalid].
func ValidateVariantPolicy(point DecisionPoint, policy json.RawMessage) error {
	_, err := point.Policy.override(policy, &point)
	return err
}

// ownType lets go of what belongs to the type of the base when a variant has another.
func (p *Policy) ownType(variant json.RawMessage) {
	var named struct {
		Type     string          `json:"type"`
		Rules    json.RawMessage `json:"rules"`
		Exposure json.RawMessage `json:"exposure"`
	}
	if json.Unmarshal(variant, &named) != nil {
		return // said by the caller
	}
	if named.Type != "" && named.Type != p.Type {
		p.Rules, p.Model, p.Treatment, p.Action = nil, "", "", ""
	}
	if named.Rules != nil {
		p.Rules = nil // decoding would mix them
	}
	if named.Exposure != nil {
		p.Exposure = nil
	}
}

// distribute computes the probability of every candidate of the record and the
// version of the model that it used, 0 for none. It depends on nothing but the
// definition, the snapshot, the record and what it holds of the subject, so that a replay
// computes the same bits. The result belongs to the scratch.
func distribute(p *point, policy Policy, snapshot *models.Snapshot, rec *Record, s assignment.Subject, sc *scratch) (bandits.Distribution, int64, error) {
	candidates := bandits.Candidates{
		Actions: rec.Candidates, Features: bandits.Vector{Indices: rec.FeatureIndex, Values: rec.FeatureValue}, Charges: rec.Charges,
	}
	var chooser bandits.Policy = bandits.Uniformly{}
	var version int64
	switch policy.Type {
	case PolicyRules, PolicyModel, PolicyRecommender:
		n := len(rec.Candidates)
		sc.chosen = slices.Grow(sc.chosen[:0], n)[:n]
		if policy.Type == PolicyRules {
			p.follow(&policy, rec, sc.actions, s, sc.chosen)
		} else {
			p.best(&policy, rec, sc.chosen)
		}
		d, err := explored(&policy, sc.chosen)
		return d, 0, err
	case PolicyFixed:
		chooser = bandits.Fixed{Action: fixedAction(p, policy, rec.Candidates)}
	case PolicyBandit:
		// Until there is a model for these features, all actions are alike.
		if usable(p, snapshot, rec) {
			chooser = policy.chooser(snapshot)
			version = snapshot.Version
		}
	}
	d, err := chooser.Distribution(candidates, &sc.workspace)
	return d, version, err
}

// chooser turns what a model expects into probabilities.
func (p *Policy) chooser(snapshot *models.Snapshot) bandits.Policy {
	switch p.Method {
	case MethodSquareCB:
		return bandits.SquareCB{Model: snapshot.Model, Gamma: float64(p.Gamma * math.Sqrt(float64(snapshot.Decisions))), Floor: *p.Exploration}
	case MethodBeta:
		return bandits.Beta{Model: snapshot.Model, Alpha: p.Alpha, Floor: *p.Exploration}
	case MethodGreedy:
		return bandits.Greedy{Model: snapshot.Model, Floor: *p.Exploration}
	}
	return bandits.Thompson{Model: snapshot.Model, Alpha: p.Alpha, Floor: *p.Exploration}
}

// encodes says whether decisions of the point carry features: those that it declares, or,
// for a policy that learns without any, the constant that stands before them.
func (p *DecisionPoint) encodes() bool {
	learns := p.Policy.learning()
	return len(p.Features) > 0 || learns != nil && learns.Method == MethodBeta
}

// fixedAction is the policy's action, else the default, else to send nothing, else
// the first that is left: where the wanted action is closed, no other is sent instead
// if that can be helped.
func fixedAction(p *point, policy Policy, candidates []string) string {
	for _, id := range [...]string{policy.Action, p.def.DefaultAction, NoneAction} {
		if contains(candidates, id) {
			return id
		}
	}
	return candidates[0]
}

// usable says whether the snapshot can score the record's features.
func usable(p *point, snapshot *models.Snapshot, rec *Record) bool {
	return snapshot != nil && snapshot.Model != nil && len(rec.FeatureIndex) > 0 &&
		snapshot.Model.Fingerprint == p.encoder.Fingerprint()
}

// scores adds the posterior's mean and standard deviation to candidates.
func scores(snapshot *models.Snapshot, rec *Record, out []Scored) {
	x := bandits.Vector{Indices: rec.FeatureIndex, Values: rec.FeatureValue}
	if snapshot.Model == nil || x.Validate(snapshot.Model.Dimension) != nil {
		return
	}
	for i := range out {
		mean, sd := snapshot.Model.Score(out[i].Action, x)
		out[i].Mean, out[i].SD = &mean, &sd
	}
}
