// Package quality measures what comes in: per source, event and field, what was
// seen, how often it was filled, of which types, whether it kept its rules; per
// source how fresh it is, how long an event takes to its profile, how much comes
// against what usually comes, and a score of each day. What was refused lies in
// quarantine until it is replayed, discarded or too old.
//
// Counts are made while a range of the stream is stored ([Service.Stored]) and
// inserted under the token of the range, so that each event counts once however
// often a range is stored. They are exact; distinct values are estimated. Nothing
// of an event is kept but its counts, its greatest and its smallest number:
// examples are read from the events when somebody asks.
package quality
