// Package assignment decides which variant of an experiment a unit gets, as a
// pure function of the unit, of what is known about it and of the moment. It
// imports no database, allocates nothing and takes tens of nanoseconds.
//
// A unit is hashed with a salt into [0, 1) ([Bucket]); fixed, half-open ranges of
// these numbers are holdouts, layers, coverages and variants. Every range grows at
// its end only, so that nobody who was in one moves when it grows.
//
// [FNV] and what is beside it are the definitions of GrowthBook's SDKs, so that
// its clients and this package come to the same.
package assignment
