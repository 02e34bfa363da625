// Package experiments answers two questions about a person and one about a
// programme: which variant does this person get, is this person held out of all
// marketing, and what did the variants bring.
//
// Assignment is a pure function of unit, salt and weights ([Bucket], [Assign],
// [Holdout]); nothing is stored to know it, and anyone with the same three
// inputs can recompute it.
package experiments
