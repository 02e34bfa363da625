package decide

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/models/bandits"
)

// explain tells in plain words why a decision came out as it did.
func explain(rec *Record) []string {
	who := "The person"
	out := []string{}
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if rec.Policy == policyExternal {
		add("Another system made this decision and logged it here with its probabilities.")
	}
	switch rec.Group {
	case GroupHoldout:
		if rec.Policy == policyExternal {
			add("%s is in the holdout of that system.", who)
			break
		}
		if len(rec.Reasons) > 0 && rec.Reasons[0] != experiments.UniversalExperiment {
			add("%s is in the %s, a fixed random share of people whom no advertising of this decision point reaches, so nothing was sent.", who, holdoutName(rec.Reasons[0]))
			return out
		}
		add("%s is in the universal holdout, a fixed random share of people whom no advertising reaches, so nothing was sent.", who)
		return out
	case GroupControl:
		if groupOf(rec) == experiments.BusinessVariant {
			break // said below
		}
		if names := trialNames(rec); names != "" {
			add("%s is in the control group of %s.", who, names)
		} else {
			add("%s is in a control group.", who)
		}
	default:
		if names := trialNames(rec); names != "" {
			add("%s takes part in %s.", who, names)
		}
	}
	for _, line := range explainStanding(rec) {
		add("%s", line)
	}
	if len(rec.Removed) > 0 {
		add("%d of %d actions could not be taken: %s.", len(rec.Removed), len(rec.Removed)+len(rec.Candidates), removedByRule(rec.Removed))
	}
	if len(rec.Reasons) == 1 && rec.Reasons[0] == reasonAudience {
		add("%s is not in the audience of the decision point, so nothing was sent.", who)
		return out
	}
	if len(rec.Charges) > 0 {
		add("Costs, fatigue and the prices of budgets took %s off the value of %s before the actions were compared.", span(rec.Charges), "contacts")
	}
	if len(rec.Reasons) == 1 && rec.Reasons[0] == reasonShadow {
		add("The decision point only watches: it would have taken %s (probability %s), and nothing was sent.", rec.Action, percent(rec.Propensity))
		return out
	}
	if !rec.Eligible {
		add("No action was left, so nothing was sent (%s).", strings.Join(rec.Reasons, ", "))
		return out
	}
	switch rec.Policy {
	case PolicyFixed:
		add("The policy is fixed: of the %d actions that were left it takes %s.", len(rec.Candidates), rec.Action)
	case PolicyUniform:
		add("The policy chooses evenly: each of the %d actions had probability %s.", len(rec.Candidates), percent(rec.Propensity))
	case PolicyRules:
		add("The policy follows rules: the first that had the person and of whose actions one was left gave %s the probability %s.", rec.Action, percent(rec.Propensity))
	case PolicyModel, PolicyRecommender:
		by := "the effect that a predictive model expects of them"
		if rec.Policy == PolicyRecommender {
			by = "the score of the first item that is recommended for them"
		}
		if len(rec.Values) == 0 {
			add("The policy compares actions by %s. Nothing was known of this person, so it takes the default action where that is left.", by)
		} else {
			add("The policy compares actions by %s, less what they cost; sending nothing is worth 0. %s", by, worth(rec))
		}
	case PolicyBandit:
		if rec.ModelVersion == 0 {
			add("Nothing had been learned yet, so each of the %d actions had the same probability.", len(rec.Candidates))
		} else {
			add("The policy learns: model version %d gave each of the %d actions the probability that it is the best one, and kept some probability for exploring.", rec.ModelVersion, len(rec.Candidates))
			if best, p := likeliest(rec); best != rec.Action {
				add("The most probable action was %s with %s; the draw fell on another one.", best, percent(p))
			}
		}
	}
	if rec.Policy != policyExternal && rec.Policy != PolicyFixed {
		add("The draw, made from the decision id, was %.6f, which falls on %s (probability %s).", rec.Draw, rec.Action, percent(rec.Propensity))
	}
	if rec.Action == NoneAction {
		add("So nothing was sent.")
	} else if rec.Offer != "" {
		add("So the offer is %s, on the channel %s, in the creative %s.", rec.Offer, rec.Channel, rec.Creative)
		switch {
		case len(rec.Slots) > 1:
			add("Of %d moments at which it could be sent, %s was drawn (probability %s).", len(rec.Slots), rec.SendAt.Format(time.RFC3339), percent(rec.Propensities.When))
		case len(rec.Slots) == 1:
			add("Quiet hours put it off until %s.", rec.SendAt.Format(time.RFC3339))
		}
	}
	return out
}

func trialNames(rec *Record) string {
	var names []string
	for _, e := range rec.Experiments {
		if _, _, holdout := experiments.HoldoutOf(e.Key); holdout || e.Key == experiments.GroupsExperiment(rec.Decision) {
			continue
		}
		how := ""
		switch assignment.Reason(e.How) {
		case assignment.ByForce:
			how = ", into which the person was forced, so that it counts in no report"
		case assignment.ByKeeper:
			how = ", which the person got first and keeps"
		}
		names = append(names, fmt.Sprintf("experiment %s (variant %s%s)", e.Key, e.Variant, how))
	}
	return strings.Join(names, " and ")
}

func removedByRule(removed []Removal) string {
	count := make(map[string]int)
	for _, r := range removed {
		count[r.Rule]++
	}
	var parts []string
	for rule, n := range count {
		part := fmt.Sprintf("%d by %s", n, rule)
		if words := wordsOf(rule); words != "" {
			part += " (" + words + ")"
		}
		parts = append(parts, part)
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

func likeliest(rec *Record) (string, float64) {
	best := 0
	for i := range rec.Probabilities {
		if rec.Probabilities[i] > rec.Probabilities[best] {
			best = i
		}
	}
	if len(rec.Probabilities) == 0 {
		return rec.Action, rec.Propensity
	}
	return rec.Candidates[best], rec.Probabilities[best]
}

// wordsOf say what a rule means.
func wordsOf(rule string) string {
	switch {
	case strings.HasPrefix(rule, ruleCap):
		return "the person has as many contacts as this cap allows"
	case strings.HasPrefix(rule, ruleArbitration):
		return "more valuable contacts have the room under this cap"
	case strings.HasPrefix(rule, ruleQuiet):
		return "it is quiet where the person is"
	case strings.HasPrefix(rule, ruleBudget):
		return "this budget has too little left, or it is not its time"
	}
	return ruleWords[rule]
}

// span is the range of the charges above 0.
func span(charges []float64) string {
	low, high := 0.0, 0.0
	for _, c := range charges {
		if c > 0 && (low == 0 || c < low) {
			low = c
		}
		high = max(high, c)
	}
	if low == high {
		return fmt.Sprintf("%.4g", high)
	}
	return fmt.Sprintf("%.4g to %.4g", low, high)
}

// worth says what the chosen action was worth, and the best one.
func worth(rec *Record) string {
	net := func(i int) float64 {
		if len(rec.Charges) == len(rec.Values) {
			return rec.Values[i] - rec.Charges[i]
		}
		return rec.Values[i]
	}
	best, chosen := 0, -1
	for i, id := range rec.Candidates[:len(rec.Values)] {
		if net(i) > net(best) {
			best = i
		}
		if id == rec.Action {
			chosen = i
		}
	}
	if chosen < 0 || net(chosen) == net(best) {
		return fmt.Sprintf("%s is worth most: %.4g.", rec.Candidates[best], net(best))
	}
	return fmt.Sprintf("%s is worth most, %.4g; %s, which exploration chose, %.4g.", rec.Candidates[best], net(best), rec.Action, net(chosen))
}

func percent(p float64) string { return fmt.Sprintf("%.2f%%", p*100) }

// namedFeature is one active feature with the name of what it stands for.
type namedFeature struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

func nameFeatures(encoder *bandits.Encoder, rec *Record) []namedFeature {
	out := make([]namedFeature, 0, len(rec.FeatureIndex))
	for i, ix := range rec.FeatureIndex {
		out = append(out, namedFeature{Name: encoder.FeatureName(int(ix)), Value: rec.FeatureValue[i]})
	}
	return out
}
