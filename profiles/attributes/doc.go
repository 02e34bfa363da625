// Package attributes computes what is known about people from what they did:
// orders and spend, RFM, lifecycle, affinities, habits, and whatever a manager
// defines ([Attribute]).
//
// Everybody is computed in ClickHouse in one run ([Service.Compute]): a pass over
// the log makes facts, a few more make the other built-in attributes and the
// defined ones, and the result is read page by page. What changed is put into
// memory, where decisions and segments read it, and into the table
// profile_attributes, which keeps the history and from which memory is filled
// after a restart. A move from one stage or segment to another is written as an
// event.
//
// Counters are also kept up between two runs: each event that counts is added at
// once, and the next run, which counts everything, takes the place of these
// additions.
package attributes
