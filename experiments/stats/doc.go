// Package stats turns sums into statements about an experiment.
//
// The story in one line: a query returns a few sums per arm, a sample
// ([Mean], [Proportion] or [Ratio]) turns the sums of one arm into an
// [Estimate], and [Absolute] or [Relative] compares two estimates by Welch's
// test into an [Effect]. Before any effect is believed, [CheckSplit] asks
// whether the arms have the sizes that the experiment's weights promised.
//
// Nothing here reads a database, a clock or a random source: the same sums give
// the same figures. Where a figure cannot be computed, or where floating point
// would make it up, the answer is a [Problem] that says which [Reason] applies;
// a number that is returned is always finite and meant.
//
// Formulas follow Deng, Knoblich and Lu, "Applying the Delta Method in Metric
// Analytics" (KDD 2018), Welch, "The generalization of Student's problem"
// (Biometrika 1947), and Fabijan et al., "Diagnosing Sample Ratio Mismatch"
// (KDD 2019); the conventions (population variance for proportions, the
// absolute value of the baseline under a relative effect) are those of
// GrowthBook, so that figures can be compared.
package stats
