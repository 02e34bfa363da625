package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

// EntryKind is what an entry of the log of identity says.
type EntryKind uint8

// Kinds of entries. Their numbers are in the stream and never change.
const (
	// Merge joins the people of two profiles by an edge.
	Merge EntryKind = 1
	// Unmerge revokes the edges between two profiles, and keeps the two apart until
	// somebody says explicitly that they are one person.
	Unmerge EntryKind = 2
	// Use notes that the person of profile B signed in on device A, on which
	// somebody else did before.
	Use EntryKind = 3
	// Share notes that device A belongs to nobody any more: too many people use it.
	Share EntryKind = 4
)

// String is the name in the API and in Postgres.
func (k EntryKind) String() string {
	switch k {
	case Merge:
		return "merge"
	case Unmerge:
		return "unmerge"
	case Use:
		return "use"
	case Share:
		return "share"
	}
	return "unknown"
}

// ParseEntryKind reads the name of a kind.
func ParseEntryKind(name string) (EntryKind, bool) {
	for k := Merge; k <= Share; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// Rules by which an edge came about. An edge that an identifier brought has the
// namespace of that identifier as its rule.
const (
	SignInRule = "sign-in" // a browser without a name signed in
	AliasRule  = "alias"   // an alias call
	ManualRule = "manual"  // a person decided
)

// Entry is one line of the log of identity. The log is append-only: what is
// revoked stays, with the entry that revoked it behind it. Who is whom at any
// time is a function of the entries up to then; see [Merges].
type Entry struct {
	Kind EntryKind
	// A and B are the profiles of an edge, A before B; of Use and Share A is the
	// hash of the device's identifier.
	A, B ID
	// SinceA and SinceB are the first times known of the profiles of a merge, in
	// Unix milliseconds. The earliest profile gives a person its id.
	SinceA, SinceB int64
	// Stamp orders decisions about identity; see [Index.Attach].
	Stamp int64
	// Rule is why a merge was made.
	Rule string
	// Explicit says that somebody decided, rather than a rule: it joins what was
	// kept apart.
	Explicit bool
	// Evidence is the id of the message that was the reason, "" for a decision of a
	// person.
	Evidence string
	// By is who decided, and Reason why, of an explicit entry made by hand.
	By, Reason string
}

// ID identifies the entry. Two entries about the same profiles have different
// stamps.
func (e *Entry) ID() ID {
	var b [1 + 16 + 16 + 8]byte
	b[0] = byte(e.Kind)
	copy(b[1:], e.A[:])
	copy(b[17:], e.B[:])
	binary.LittleEndian.PutUint64(b[33:], uint64(e.Stamp))
	sum := sha256.Sum256(b[:])
	return ID(sum[:16])
}

// edge is an entry about a and b in the order in which edges name profiles.
func edge(kind EntryKind, a, b ID) Entry {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return Entry{Kind: kind, A: a, B: b}
}

// NewMerge is a decision to join the people of two profiles, first known at
// the given times in Unix milliseconds.
func NewMerge(a, b ID, sinceA, sinceB int64) Entry {
	e := edge(Merge, a, b)
	e.SinceA, e.SinceB = sinceA, sinceB
	if e.A != a {
		e.SinceA, e.SinceB = sinceB, sinceA
	}
	return e
}

// NewUnmerge is a decision that two profiles are not one person.
func NewUnmerge(a, b ID) Entry { return edge(Unmerge, a, b) }
