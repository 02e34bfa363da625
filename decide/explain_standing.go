package decide

import (
	"fmt"
	"strings"

	"quintet/experiments"
	"quintet/experiments/assignment"
)

// explainStanding tells of the groups, the comparison arm and the experiments that do
// not have the person.
func explainStanding(rec *Record) []string {
	var out []string
	switch groupOf(rec) {
	case experiments.RandomVariant:
		out = append(out, "The person is in the random group of the decision point, a fixed share of people for whom every action is as probable as any other.")
	case experiments.BusinessVariant:
		out = append(out, "The person is in the business-as-usual group of the decision point, a fixed share of people who get the default action.")
	}
	for _, e := range rec.Experiments {
		if e.Variant == experiments.ComparisonVariant {
			if key, comparison, ok := experiments.HoldoutOf(e.Key); ok && comparison {
				out = append(out, fmt.Sprintf("The person is in the comparison arm of the %s: they get what has shipped, and no experiment has them.", holdoutName(experiments.HoldoutExperiment(key))))
			}
		}
	}
	for _, x := range rec.Excluded {
		out = append(out, fmt.Sprintf("Experiment %s (version %d) does not have the person: %s.", x.Key, x.Version, reasonWords(x.Reason)))
	}
	return out
}

// groupOf is the group of the decision point that the person is in; empty where it has
// none.
func groupOf(rec *Record) string {
	key := experiments.GroupsExperiment(rec.Decision)
	for _, e := range rec.Experiments {
		if e.Key == key {
			return e.Variant
		}
	}
	return ""
}

// holdoutName names a holdout by the key of the experiment as which it is reported.
func holdoutName(experiment string) string {
	key, _, ok := experiments.HoldoutOf(experiment)
	switch {
	case !ok:
		return experiment
	case key == experiments.UniversalHoldout:
		return "universal holdout"
	}
	return "holdout " + key
}

// reasonWords says in words what keeps somebody out of an experiment.
func reasonWords(reason string) string {
	what, key, _ := strings.Cut(reason, ":")
	switch assignment.Reason(what) {
	case assignment.NotStarted:
		return "it starts later"
	case assignment.Ended:
		return "it had ended"
	case assignment.Blocked:
		return "they are blocked"
	case assignment.NoUnit:
		return "the request has nothing that could be assigned"
	case assignment.BucketVersion:
		return "the variant that they kept is of a bucket version that takes no part any more"
	case assignment.OutOfAudience:
		return "they do not match its audience"
	case assignment.OutOfCoverage:
		return "they are outside of its coverage"
	case assignment.Dropped:
		return "their arm was dropped"
	}
	switch what {
	case "layer":
		return "they are in another part of layer " + key
	case "prerequisite":
		return "they have none of the variants of " + key + " that it requires"
	case "holdout":
		return "they are in the " + holdoutName(experiments.HoldoutExperiment(key))
	case "comparison":
		return "they are in the comparison arm of the " + holdoutName(experiments.HoldoutExperiment(key))
	case "group":
		return "they are in the " + key + " group"
	}
	return reason
}
