// Package decide is the decision pipeline: it answers, for one person at one
// decision point, who is addressed, what is offered, where, when and how, and
// records the answer with the exact probability with which it was chosen.
//
// A decision runs through five stages. The profile is looked up, the universal
// holdout and the experiments of the decision point assign the person to a
// group, rules remove the actions that cannot be taken, a policy computes a
// probability for every action that is left, and one uniform number derived
// from the decision id draws from that distribution. The record of all this is
// in the stream before the caller gets an answer, and [Service.Replay] computes
// a stored decision again from the definitions and the model of its time.
//
// Everything that a decision reads is in memory (see [state]); the only input
// or output of a decision is the append to the stream.
package decide
