package identity

import (
	"errors"
	"fmt"
)

// Reasons why two people are not joined.
var (
	ErrSamePerson = errors.New("they are one person already")
	ErrKeptApart  = errors.New("they were told apart, and only somebody's explicit word joins them")
	ErrUnique     = errors.New("both have a value in a namespace in which a person has one")
	ErrLimit      = errors.New("together they would have more identifiers than a person may have")
	ErrBound      = fmt.Errorf("a person is held together by at most %d merges and has at most %d identifiers", MaxMerges, MaxIdentifiers)
)

// MayUnite says why an explicit decision cannot join the people of two
// profiles, nil where it can.
func (x *Index) MayUnite(a, b ID) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	at := attachment{Index: x, rules: x.rules.Load()}
	return at.mayUnite(a, b, true)
}

func (a *attachment) mayUnite(p, q ID, explicit bool) error {
	ps, qs := a.merges.Members(p), a.merges.Members(q)
	if ps[0] == qs[0] {
		return ErrSamePerson
	}
	if len(a.merges.Edges(p))+len(a.merges.Edges(q))+1 > MaxMerges {
		return ErrBound
	}
	x, y := a.person(p), a.person(q)
	if x.total()+y.total() > MaxIdentifiers {
		return ErrBound
	}
	if explicit {
		return nil
	}
	if a.merges.KeptApart(p, q) {
		return ErrKeptApart
	}
	for slot := range a.rules.slots {
		rule := &a.rules.slots[slot]
		if rule.unique && x[slot] > 0 && y[slot] > 0 {
			return ErrUnique
		}
		if int(x[slot])+int(y[slot]) <= rule.limit {
			continue
		}
		if rule.span == 0 || a.within(p, slot)+a.within(q, slot) > rule.limit {
			return ErrLimit
		}
	}
	return nil
}
