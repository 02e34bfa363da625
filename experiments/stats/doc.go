// Package stats turns sums into statements about an experiment.
//
// The story in one line: a query returns a few sums per arm, a [Sample] holds
// the sums of one arm, and [Compare] makes of two samples an [Effect]: estimate,
// standard error, interval and p-value. What follows takes an Effect, whatever
// it came from: [Effect.Posterior] a belief, [AlwaysValid] an interval that
// holds at every look, [Topline] the effect on the metric's total. Before any
// effect is believed, [CheckSplit] asks whether the arms have the sizes that the
// experiment's weights promised, and [Adequate] whether there are enough units
// for the metric's tail.
//
// Samples differ in what is known of a unit: one value ([Mean], [Proportion],
// values one by one in [Moments]), a total over a total ([Ratio]), a value and
// what it was before the experiment ([Adjusted], [AdjustedRatio],
// [Covariates]), or a quantile ([Quantile]). All but quantiles add up: the sums
// of two groups of units are the sums of both (Plus), so that days, strata and
// dimensions are merged without going back to the data. [PostStratify] compares
// within strata.
//
// Nothing here reads a database, a clock or a random source: the same sums give
// the same figures. Where a figure cannot be computed, or where floating point
// would make it up, the answer is a [Problem] that says which [Reason] applies;
// a number that is returned is always finite and meant.
//
// Formulas follow Deng, Knoblich and Lu, "Applying the Delta Method in Metric
// Analytics" (KDD 2018), Welch, "The generalization of Student's problem"
// (Biometrika 1947), and Fabijan et al., "Diagnosing Sample Ratio Mismatch"
// (KDD 2019); the type of each estimator names its own source, and
// docs/methods/statistics.md has them all. The conventions (population variance for proportions, the
// absolute value of the baseline under a relative effect) are those of
// GrowthBook, so that figures can be compared.
package stats
