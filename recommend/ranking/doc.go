// Package ranking learns the order of lists from what people took of lists: the
// probability that an item is taken, from numbers that describe the person, the item, the
// place and what each source of candidates said of it.
//
// Two things bend what a log of lists shows. What stands first is looked at more, whatever
// it is: the place is one of the columns, and is held at the first place when a list is
// ranked. And a list shows what was thought best before: a row weighs the inverse of the
// probability with which it was drawn, up to a bound (inverse propensity weights, clipped;
// Strehl, Langford, Li and Kakade 2010; Joachims, Swaminathan and Schnabel 2017).
//
// The package is pure: it knows no database and no clock.
package ranking
