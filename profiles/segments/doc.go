// Package segments holds the rules by which people are grouped: a tree of
// conditions over what is known of a person, with two evaluators that agree.
// [Rule.Match] asks one person in memory, within a microsecond or so and without
// allocating; [Rule.Condition] is the same question as an expression of
// ClickHouse SQL about everybody. The package touches no database.
//
// # Grammar
//
// A rule is a JSON object with exactly one of these members, and those that go
// with it:
//
//	{"all": [rule, …]}   every rule holds
//	{"any": [rule, …]}   at least one holds
//	{"not": rule}        it does not hold
//	{"trait": name, "op": op, "value": v}        what an application told of the person
//	{"attribute": name, "op": op, "value": v}    what was computed of the log
//	{"profile": field, "op": op, "value": v}     createdAt, lastSeenAt, eventCount
//	{"identifier": namespace, "op": op, "value": v}   any of the values in the namespace
//	{"consent": {"purpose": p, "channel": c, "status": s}}
//	{"segment": key}     the person is in another segment
//	{"event": name, "where": [filter, …], "window": w, measure}
//	{"sequence": [{"event": name, "where": …}, …], "within": span, "window": w}
//
// A measure is at most one of did (true or false), times ({"atLeast": n, "atMost":
// n} or {"exactly": n}), aggregate ({"function": "sum", "property": path, "op": op,
// "value": v}; also average, min, max), first and last ({"op": op, "value": v} about
// the time of the first or last occurrence). Without one it is did.
//
// A filter is {"property": path, "op": op, "value": v}. A path has dots between
// levels; [] behind a name stands for any element of a list: "products[].sku".
//
// A window is {"last": span} or {"from": time, "to": time} with one of them or
// both; without one it is all time. A span is a whole number and a unit: 90m, 24h,
// 30d, 2w. A time is RFC 3339, or a date, which is its first instant in UTC.
//
// # Meaning
//
// The instant of evaluation is always given, never taken from a clock.
//
// Missing. A trait, attribute or property that is absent or null is missing. Every
// condition on a missing value is false, but for op missing; this holds for ne and
// notIn too. A not around it is true. There is no third value: each rule is true or
// false for each person.
//
// Names. The name of a trait or attribute is looked up as it is. When there is
// none of that name, dots lead into objects: "address.city".
//
// Types. A condition compares only with values of the type of its own value: the
// text "5" is not the number 5. ne and notIn hold for every value that is not equal,
// whatever its type. Lists are looked into by contains alone, objects only exist.
//
//	exists, missing                     any type
//	eq, ne                              text, number or boolean
//	in, notIn                           a list of those, of up to 1,000
//	lt, lte, gt, gte, between           numbers; between includes both ends
//	contains                            a part of a text, or an element of a list
//	startsWith, endsWith                text
//	before, after                       dates: before is earlier, after is not earlier
//	withinLast, olderThan, withinNext   dates: now−span < date ≤ now; date ≤ now−span; now < date ≤ now+span
//	anniversaryWithin                   dates: the day of the year is one of today and the next days, by UTC;
//	                                    29 February counts as 1 March in other years
//
// Dates are texts of the form 2006-01-02, RFC 3339, or without an offset, which is
// UTC then, in the years 1900 to 2299, to the millisecond. Properties of events are
// not read as dates.
//
// Text is compared byte by byte. With "ignoreCase": true every letter is brought to
// its lower case by the simple mapping of Unicode first.
//
// Identifiers. The condition holds when it holds for any value in the namespace;
// without op it is exists.
//
// Consents. The condition holds when the consents of the person come to the status
// at that instant, by the rules of package consents: granted unless another is
// given. With a channel it is about a message that is sent over it. Where nothing was
// stated and the purpose says nothing, the status is unknown.
//
// Events count where their own time says, up to and including now. The window
// {"last": span} is now−span < time ≤ now; from is included, to is not.
// An aggregate looks at the occurrences whose property is a number, and is false
// without any; its function is of these. Sums and averages are exact to a millionth
// as long as the sum is below nine billion, so that no order of addition changes
// them; the value that they are compared with is rounded alike. An average over
// nothing, or a first time of nothing, is missing: the condition is false.
//
// Sequences. There is an occurrence of each step, each strictly later than that of
// the step before, all in the window; with within, the last is at most that span
// after the first.
//
// Segments. A segment that does not exist has no members. A segment must not refer
// to itself, not even through others: see [Cycle].
//
// # Limits
//
// A rule has at most 1,000 conditions and groups, nested at most 64 deep; a sequence
// 2 to 5 steps, an event 20 filters, a list of values 1,000 members, a text 1,024
// characters, a span 3,660 days.
package segments
