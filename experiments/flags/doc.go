// Package flags holds feature flags, the simplest kind of experiment: a value of a
// type, a default, and rules that give some people another one, by a condition, by a
// share, or by an experiment whose variants have values of their own.
//
// All flags are compiled into a [State] that is swapped when a definition changes.
// Evaluation reads memory alone: the state, the experiments' plan and what is known of
// the person. What it leads to is an exposure for each experiment that decided
// something, which [Exposures] appends to the log of events, once per unit and version
// for as long as it remembers.
//
// SDKs that evaluate by themselves get what [State.Local] makes of the flags: those
// that they can evaluate to the same result. A flag that needs what only the server
// has, such as who a person is or who is held out, is not among them.
package flags
