// Package recommend holds the catalogue, with price, cost and stock, and recommends
// from it: what fits a person, an item or a cart, ranked by how probable it is to be
// taken or by the profit to expect.
//
// It learns from the log (source.go, build.go): which items the events of people name,
// and how strongly each event speaks. Several methods are trained side by side, each in
// a package of its own without a database; what came in the last tenth of the time
// judges them, and a personal recommender that is worse than popularity is not used. A
// build is a version in Postgres (store.go) that every process takes up.
//
// Beside a build a ranker is learned (rank_learn.go) from what people took of lists, and
// used where a later time shows that it is better (rank_gate.go).
//
// It serves from memory (serve.go): the history of the person, which events reach at
// once (history.go), candidates of all methods (candidates.go), the rules of the
// placement (placement.go), and for each item a reason and an exact propensity.
package recommend
