// Package offpolicy says what a policy would have brought, from the log of another one. It is pure mathematics:
// it imports no database and keeps no state.
//
// A [Log] is a sequence of decisions of which is known how probable the chosen action was (the propensity), what
// came of it (the reward), how probable the same action is under the policy that is asked about (the target), and,
// for the estimators that use one, what a model of the reward expects. The probability that was logged is the one
// that was drawn from, so that nothing has to be estimated about the log.
//
// Estimators, with the names of Saito et al., "Open Bandit Dataset and Pipeline", NeurIPS 2021:
//
//   - [IPS] weights each reward by target over propensity; unbiased where there is support, noisy.
//   - [SNIPS] divides by the sum of the weights; steadier, with a bias that falls with the size of the log.
//   - [DM], the direct method, believes the model of the reward.
//   - [DR], doubly robust, corrects the model by weighted residuals (Dudík, Langford, Li, ICML 2011).
//   - [SNDR] is DR with self-normalised residuals.
//   - [SwitchDR] believes the model where the weight is above a bound (Wang, Agarwal, Dudík, ICML 2017).
//   - [DRos] shrinks the weights in the way that minimises a bound on the error (Su et al., ICML 2020).
//
// Marginalised weights for large sets of actions are made by [Marginal] (Saito, Joachims, ICML 2022), those of
// slates by [Slate].
//
// # What the log cannot say
//
// An action that the target takes and the log never could is not evaluated by any weight. [Log.Diagnose] measures
// the overlap, and [Overlap.Check] refuses a log that does not support the question. An estimator itself does not
// refuse: it is arithmetic.
package offpolicy
