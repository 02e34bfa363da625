// Package experiments answers two questions about a person and one about a
// programme: which variant does this person get, is this person held out of all
// marketing, and what did the variants bring.
//
// Assignment is a pure function of unit, salt and weights ([Bucket], [Assign],
// [Holdout]); nothing is stored to know it, and anyone with the same three
// inputs can recompute it, in SQL too. [Compile] turns the running experiments
// into a [Plan], which assigns a person at a decision point in tens of
// nanoseconds.
//
// [Experiment], [Metric] and [Holdout] are definitions that a [Service] keeps.
// Once an experiment has started, nothing that decides who gets what can be
// edited, and once it was stopped it does not start again: one report covers
// one period.
//
// A [Report] is made of sums. One query over the log (exposures, events and
// decisions) adds up, for every arm and metric, the values of the people in it;
// package stats turns the sums into effects with intervals. The checks come
// before the figures, and a figure that cannot be computed says why instead.
package experiments
