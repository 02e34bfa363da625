// Package lists is the log of what was recommended: every list that somebody was given,
// with the items by place and the exact probability with which each came there. A list is
// in the stream before its answer goes out, and in ClickHouse, once, soon after. From it
// the ranker learns, off-policy evaluation weighs, and the history of serving is told.
package lists
