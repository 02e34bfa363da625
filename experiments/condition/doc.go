// Package condition is the language in which experiments, flags and holdouts say
// whom they are for: GrowthBook's conditions, which look like MongoDB queries, over
// the attributes of a unit.
//
//	{"country": {"$in": ["at", "de"]}, "age": {"$gte": 18}, "$not": {"segments": {"$in": ["churned"]}}}
//
// A condition is parsed once into a form that answers without an allocation. It
// compares as the SDK for JavaScript does, which is what the published cases of the
// SDKs fix: a missing attribute is null, null is below 1 as a number, "8" is above 5,
// and equality of arrays and objects is deep (but without regard to the order of keys,
// which JavaScript's is). Regular expressions are those of Go (RE2): they take time in
// proportion to the text, and have neither look-around nor back-references.
package condition
