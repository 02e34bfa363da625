// Package growthbook speaks the language of GrowthBook's SDKs: the payload that they
// load, and an evaluator that comes to what they come to, case by case of their
// published conformance cases (specification 0.8). It is a pure function of payload
// and context; who is known, and what is recorded, is the caller's.
//
// Where an SDK for JavaScript and the others differ, which is in the hash of what is
// not ASCII, the context says whom to follow.
package growthbook
