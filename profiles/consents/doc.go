// Package consents says what a person may be contacted about, and where.
//
// A person makes statements: consent for a purpose given, denied, withdrawn, on
// one channel or on any, for all topics or for one. The latest statement about the
// same purpose, channel and topic counts; of two at one moment the refusal does. Of
// statements that overlap, a refusal stands against an earlier consent and, where it
// is about something narrower than a later consent, against that one too: who
// unsubscribed from e-mail and later accepts marketing in general has not taken back
// the former.
//
// What is true at a moment is a function of the statements, the purposes and the
// topics. The package holds no state and does no input or output.
package consents
