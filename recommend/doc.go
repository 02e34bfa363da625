// Package recommend holds the catalogue: the items that offers refer to, with
// price, cost and stock. Recommenders and ranking build on it.
package recommend
