// Package models learns from the log and hands what was learned to the decisions.
//
// A model is a function of the log. For each decision point that learns, a
// [Spec] says which features its decisions carry and what counts as success (the
// [Objective]). [Trainer] turns decisions and their outcomes in ClickHouse into
// additive tiles, one per action and day, and solves for the posterior
// (quintet/models/bandits). The result is a [Snapshot]: numbered, stored in
// Postgres to the last bit, and only then used, so that a decision never names a
// version that cannot be loaded again.
//
// [Service] does this again whenever enough new data has come, gives the newest
// snapshot to the decision path from memory, and loads old ones for replays.
// Several processes may run it: they take turns building, and each follows what
// the others have built.
package models
