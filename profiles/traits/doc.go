// Package traits chooses what is true about a person.
//
// A trait is a named value: the city, the date of birth, the plan. Several
// sources may tell it, and not the same. Each thing told is a [Fact] with its
// source, its time and the confidence of the source. Of the facts about one
// trait the newest of each source are kept, and a survivorship rule chooses
// between the sources: the most recent fact, the most trusted source, the most
// complete value, the highest confidence. What is chosen for all traits is the
// golden record; what is kept is its lineage.
//
// The choice is a function of the facts alone. It does not depend on the order
// in which they arrive, and a changed rule needs nothing but the facts that are
// kept. The package holds no state and does no input or output.
package traits
