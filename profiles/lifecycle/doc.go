// Package lifecycle says where a person stands as a customer: RFM scores and
// segment, stage, lifecycle segment and losses.
//
// All of it is one [Table], which is data. What is known of a person are
// [Facts], numbers with names; a [Rule] is a list of conditions over them. The
// rules of stages and segments are asked in their order and the first that holds
// decides, so that everybody has exactly one of each; of losses a person may have
// several or none.
//
// The package is pure. [Table.Classify] judges one person in memory, and
// [Table.SQL] writes the same rules as ClickHouse expressions over a table of
// facts, for everybody at once and for moments of the past.
package lifecycle
