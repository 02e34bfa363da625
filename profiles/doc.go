// Package profiles is the single customer view: who a person is, what they
// did, and what is known of them.
//
// Messages of the tracking API come in over HTTP. Package tracking checks them,
// package identity settles which profile each belongs to, and the result is
// put into the stream; only then does the caller get an answer. From there two
// readers take it on. A sink writes every message as an event into ClickHouse,
// in journalled ranges that are stored once. A projector keeps the state of
// each profile (identifiers, traits, when it was seen) in memory, where a
// decision finds it without I/O, and in Postgres, where it is saved in one
// transaction with the position in the stream that it holds.
//
// After a crash the state is what Postgres has plus what lies behind that
// position in the stream, so memory and Postgres never disagree. While
// Postgres is away, memory goes on up to a bound; then the projector stops
// reading, and the stream, which is bounded too, begins to answer 429.
package profiles
