package decide

import (
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	chosen := func(change func(*Record)) *Record {
		r := &Record{Group: GroupTreated, Eligible: true, Policy: PolicyBandit, ModelVersion: 7, Action: "spring/email/a", Offer: "spring", Channel: "email", Creative: "a",
			Candidates: []string{"spring/email/a", "none"}, Probabilities: []float64{0.25, 0.75}, Propensity: 0.25, Draw: 0.125}
		change(r)
		return r
	}
	for _, tt := range []struct {
		name string
		rec  *Record
		want []string // in this order
		not  []string
	}{
		{"holdout", &Record{Group: GroupHoldout, Policy: "none", Experiments: []Enrolment{{Key: "universal-holdout", Variant: "holdout"}}}, []string{"universal holdout", "nothing was sent"}, []string{"draw", "policy"}},
		{"bandit", chosen(func(*Record) {}), []string{"model version 7", "each of the 2 actions", "most probable action was none with 75.00%", "0.125000", "probability 25.00%", "offer is spring, on the channel email, in the creative a"}, []string{"control", "could not be taken"}},
		{"bandit takes the best", chosen(func(r *Record) { r.Probabilities = []float64{0.75, 0.25} }), []string{"model version 7"}, []string{"most probable action"}},
		{"cold", chosen(func(r *Record) { r.ModelVersion = 0 }), []string{"Nothing had been learned yet"}, []string{"model version"}},
		{"uniform", chosen(func(r *Record) { r.Policy = PolicyUniform; r.Propensity = 0.5 }), []string{"chooses evenly", "50.00%"}, nil},
		{"fixed", chosen(func(r *Record) { r.Policy = PolicyFixed }), []string{"policy is fixed", "spring/email/a"}, []string{"draw"}},
		{"none", chosen(func(r *Record) { r.Action, r.Offer, r.Channel, r.Creative = "none", "", "", "" }), []string{"So nothing was sent."}, []string{"So the offer"}},
		{"control", chosen(func(r *Record) {
			r.Group, r.Experiments = GroupControl, []Enrolment{{Key: "universal-holdout", Variant: "treated"}, {Key: "trial", Variant: "base"}}
		}), []string{"control group of experiment trial (variant base)"}, []string{"universal"}},
		{"treated in a trial", chosen(func(r *Record) { r.Experiments = []Enrolment{{Key: "trial", Variant: "b"}} }), []string{"takes part in experiment trial (variant b)"}, nil},
		{"removed", chosen(func(r *Record) {
			r.Removed = []Removal{{"x", "offer-ended"}, {"y", "offer-ended"}, {"z", "channel-unreachable"}}
		}), []string{"3 of 5 actions could not be taken: 1 by channel-unreachable, 2 by offer-ended."}, nil},
		{"nothing left", &Record{Group: GroupTreated, Policy: PolicyUniform, Reasons: []string{"no-eligible-action"}, Removed: []Removal{{"x", "offer-ended"}}},
			[]string{"1 of 1 actions", "No action was left", "no-eligible-action"}, []string{"draw"}},
		{"external", chosen(func(r *Record) { r.Policy = policyExternal }), []string{"Another system made this decision", "So the offer is spring"}, []string{"draw"}},
		{"external holdout", chosen(func(r *Record) { r.Policy, r.Group = policyExternal, GroupHoldout }), []string{"holdout of that system"}, []string{"universal"}},
		{"external control", chosen(func(r *Record) { r.Policy, r.Group = policyExternal, GroupControl }), []string{"is in a control group."}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Join(explain(tt.rec), " ")
			rest := text
			for _, want := range tt.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Errorf("%q lacks %q", text, want)
				}
				rest = after
			}
			for _, not := range tt.not {
				if strings.Contains(text, not) {
					t.Errorf("%q has %q", text, not)
				}
			}
		})
	}
}
