// Package experience reports how customers fare, period by period: what they
// answer to surveys (NPS, CSAT, CES), whether they come back (retention, churn,
// gained and lost), what they spend on an order and what it costs to win one.
//
// Every figure comes with a 95 % interval. Counting is done in ClickHouse, over
// people as the map of merges has them now; the statistics are made of the counts
// here ([Wilson], [Promoters], [Mean], [Poisson], [Ratio]).
package experience
