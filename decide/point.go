package decide

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"quintet/internal/problem"
	"quintet/models"
	"quintet/models/bandits"
)

// NoneAction is the action of sending nothing.
const NoneAction = "none"

// Message classes. Advertising is subject to the universal holdout; service
// messages (a receipt, a delivery status) never are.
const (
	ClassAdvertising = "advertising"
	ClassService     = "service"
)

// DecisionPoint is a named place or moment that asks for a decision: which
// actions there are, how one is chosen and what counts as success.
type DecisionPoint struct {
	Name                string           `json:"name,omitempty" doc:"Name shown in the console" maxLength:"200"`
	Class               string           `json:"class,omitempty" doc:"Message class: advertising is subject to the universal holdout, service never" enum:"advertising,service"`
	Offers              []string         `json:"offers" doc:"Keys of the offers that may be proposed"`
	Channels            []string         `json:"channels" doc:"Keys of the channels that may be used"`
	Creatives           []Creative       `json:"creatives,omitempty" doc:"Ways to say it; without any, one creative named default"`
	Features            []bandits.Field  `json:"features,omitempty" doc:"What the policy may know about the person and the moment"`
	Crosses             [][]string       `json:"crosses,omitempty" doc:"Combinations of two or three features, by name"`
	Policy              Policy           `json:"policy" doc:"How an action is chosen"`
	Objective           models.Objective `json:"objective,omitempty" doc:"What a decision is rewarded for"`
	DefaultAction       string           `json:"defaultAction,omitempty" doc:"Action of the baseline and of the fall-back; none unless set"`
	NoneAction          *bool            `json:"noneAction,omitempty" doc:"Whether sending nothing is among the actions; true unless set to false"`
	ExpiresAfterMinutes float64          `json:"expiresAfterMinutes,omitempty" doc:"How long an answer may be used; 60 unless set"`
	Groups              *Groups          `json:"groups,omitempty" doc:"People set aside from a bandit: a random and a business-as-usual group. 0.05 each for a decision point that becomes a bandit, unless set"`
	// What follows narrows down who is decided about, when and at what cost.
	Audience json.RawMessage `json:"audience,omitempty" doc:"Condition on the person and the context, as of experiments; nothing is sent to people whom it does not match"`
	When     *Timing         `json:"when,omitempty" doc:"When the channel is used; now unless set"`
	Costs    *Costs          `json:"costs,omitempty" doc:"What a learned policy takes off the expected reward of every contact, so that nobody may be worth it"`
	Shadow   bool            `json:"shadow,omitempty" doc:"Decide and log without acting: the answer is to send nothing, and the log says what would have been sent"`
	Priority int             `json:"priority,omitempty" minimum:"0" maximum:"100" doc:"Class of priority when contacts compete for room under a cap with arbitration: a higher one wins whatever the values are; 0 unless set"`
	Holdouts []string        `json:"holdouts,omitempty" maxItems:"10" nullable:"false" doc:"Keys of the named holdouts that advertising here respects, beside the universal one"`
}

// Creative is one way to say an offer, described by its factors.
type Creative struct {
	Key        string `json:"key" doc:"Key of the creative, unique within the decision point"`
	Tone       string `json:"tone,omitempty" maxLength:"64"`
	Emphasis   string `json:"emphasis,omitempty" maxLength:"64"`
	Background string `json:"background,omitempty" maxLength:"64"`
	Imagery    string `json:"imagery,omitempty" maxLength:"64"`
}

// ValidatePoint checks and normalises a decision point. References to offers
// and channels are checked by the caller, who knows them.
func ValidatePoint(_ context.Context, _ string, p *DecisionPoint) error {
	var bad problem.Invalid
	checkText(&bad, "name", p.Name, maxName)
	if p.Class == "" {
		p.Class = ClassAdvertising
	}
	if p.Class != ClassAdvertising && p.Class != ClassService {
		bad.Add("class", "must be advertising or service", p.Class)
	}
	checkKeys(&bad, "offers", p.Offers, maxOffers)
	checkKeys(&bad, "channels", p.Channels, maxChannels)
	if len(p.Creatives) == 0 {
		p.Creatives = []Creative{{Key: "default"}}
	}
	keys := make([]string, len(p.Creatives))
	for i := range p.Creatives {
		keys[i] = p.Creatives[i].Key
	}
	checkKeys(&bad, "creatives", keys, maxCreatives)
	for i := range p.Creatives[:min(len(p.Creatives), maxCreatives)] {
		c := &p.Creatives[i]
		for _, factor := range [...]struct{ name, value string }{
			{"tone", c.Tone}, {"emphasis", c.Emphasis}, {"background", c.Background}, {"imagery", c.Imagery},
		} {
			checkText(&bad, "creatives["+itoa(i)+"]."+factor.name, factor.value, maxFactor)
		}
	}
	if n := len(p.Offers) * len(p.Channels) * len(p.Creatives); n > maxActions {
		bad.Add("offers", "offers x channels x creatives must be at most 1000 actions", n)
	}
	if p.NoneAction == nil {
		p.NoneAction = new(true)
	}
	if p.DefaultAction == "" {
		p.DefaultAction = NoneAction
	}
	if !p.has(p.DefaultAction) && p.DefaultAction != NoneAction {
		bad.Add("defaultAction", "must be none or an offer/channel/creative of this decision point", p.DefaultAction)
	}
	if p.ExpiresAfterMinutes == 0 {
		p.ExpiresAfterMinutes = 60
	}
	if !(p.ExpiresAfterMinutes > 0 && p.ExpiresAfterMinutes <= 60*24*90) {
		bad.Add("expiresAfterMinutes", "must be above 0 and at most 129600", nil)
	}
	p.Policy = p.Policy.clone() // stages are completed in place
	p.Policy.validate(&bad, "policy", p)
	p.Groups.validate(&bad)
	if p.Priority < 0 || p.Priority > maxPriority {
		bad.Add("priority", "must be from 0 to 100", p.Priority)
	}
	if len(p.Holdouts) > maxHoldouts {
		bad.Add("holdouts", "must have at most "+itoa(maxHoldouts)+" entries", len(p.Holdouts))
	}
	checkCondition(&bad, "audience", p.Audience)
	p.When.validate(&bad)
	p.Costs.validate(&bad, p)
	bad.Nest("objective", p.Objective.Validate())
	p.validateFeatures(&bad)
	if len(bad) == 0 && !*p.NoneAction && len(p.Offers)*len(p.Channels) == 0 {
		bad.Add("offers", "a decision point without the none action needs at least one offer and one channel", nil)
	}
	return bad.Err()
}

// has says whether an action id names an offer, channel and creative of the point.
func (p *DecisionPoint) has(action string) bool {
	parts := strings.Split(action, "/")
	return len(parts) == 3 && contains(p.Offers, parts[0]) && contains(p.Channels, parts[1]) &&
		containsCreative(p.Creatives, parts[2])
}

// validateFeatures refuses features of the action: what an action does by
// itself is learned per action, by its id.
func (p *DecisionPoint) validateFeatures(bad *problem.Invalid) {
	for i := range p.Features {
		if p.Features[i].Source == bandits.SourceAction {
			bad.Add("features["+itoa(i)+"].source", "must be profile or context", p.Features[i].Source)
			return
		}
	}
	err := p.Declaration().Validate()
	var broken *bandits.DeclarationError
	switch {
	case err == nil:
	case errors.As(err, &broken):
		field := broken.Field
		switch {
		case strings.HasPrefix(field, "fields"):
			field = "features" + strings.TrimPrefix(field, "fields")
		case field == "declaration":
			field = "features"
		}
		bad.Add(field, broken.Rule, nil)
	default:
		bad.Add("features", err.Error(), nil)
	}
}

// Declaration is the declaration of the point's feature encoder.
func (p *DecisionPoint) Declaration() bandits.Declaration {
	return bandits.Declaration{Fields: p.Features, Crosses: p.Crosses}
}

func contains(list []string, key string) bool {
	for _, k := range list {
		if k == key {
			return true
		}
	}
	return false
}

func containsCreative(list []Creative, key string) bool {
	for i := range list {
		if list[i].Key == key {
			return true
		}
	}
	return false
}

func checkKeys(bad *problem.Invalid, field string, keys []string, most int) {
	if len(keys) > most {
		bad.Add(field, "must have at most "+itoa(most)+" entries", len(keys))
		return
	}
	seen := make(map[string]bool, len(keys))
	for i, k := range keys {
		at := field + "[" + itoa(i) + "]"
		switch {
		case !validKey(k):
			bad.Add(at, "must be 1 to 64 of a-z, 0-9, - and _, and start with a letter or digit", k)
		case k == NoneAction:
			bad.Add(at, "none is the name of the action that sends nothing", k)
		case seen[k]:
			bad.Add(at, "must be unique", k)
		}
		seen[k] = true
	}
}

func validKey(k string) bool {
	if k == "" || len(k) > 64 {
		return false
	}
	for i := 0; i < len(k); i++ {
		c := k[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || i > 0 && (c == '-' || c == '_') {
			continue
		}
		return false
	}
	return true
}

func itoa(n int) string { return strconv.Itoa(n) }
