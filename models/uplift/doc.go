// Package uplift estimates what a treatment changes for each person (the conditional
// average treatment effect) from a randomised experiment, and judges such estimates.
//
// [SLearner], [TLearner], [XLearner] (Künzel et al. 2019), [RLearner] (Nie and Wager
// 2021) and [DRLearner] (Kennedy 2020) work over the learners of internal/learners;
// [ForestLearner] grows trees that split where the effect differs, honestly (Athey and
// Imbens 2016). Each takes several treatments and binary or continuous outcomes.
//
// [Curve] and its areas exist in both conventions that libraries use, by name, as they
// are different numbers. [Policy] says what treating by the estimates would be worth, and
// [Gate] refuses a policy that is not better than the best single action.
package uplift
