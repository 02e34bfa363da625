package lifetime

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Customer is what the models know of one person.
type Customer struct {
	// Repeats is the number of repeat purchases, the first not counted.
	Repeats int
	// Last is the time from the first to the last purchase; 0 without repeats.
	Last float64
	// Age is the time from the first purchase to the end of what was observed.
	Age float64
	// Value is the mean value of a repeat purchase; 0 without.
	Value float64
}

// Errors of customers that nothing can be fitted to.
var (
	ErrCustomer     = errors.New("a customer is not possible")
	ErrTooFew       = errors.New("too few customers")
	ErrNotConverged = errors.New("the likelihood has no maximum that was found")
)

// Group is a number of customers who are the same to a model.
type Group struct {
	Customer
	Count float64
}

// MinCustomers and MinRepeaters are the least that a model is fitted to.
const (
	MinCustomers = 50
	MinRepeaters = 10
)

// Groups counts equal customers by repeats, last and age. It refuses those that are
// not possible, and fewer than [MinCustomers], or than [MinRepeaters] with repeats.
func Groups(customers []Customer) ([]Group, error) {
	repeaters := 0
	sorted := slices.Clone(customers)
	for i, c := range customers {
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("customer %d: %w", i, err)
		}
		if c.Repeats > 0 {
			repeaters++
		}
		sorted[i].Value = 0
	}
	if len(customers) < MinCustomers || repeaters < MinRepeaters {
		return nil, fmt.Errorf("%w: %d, of whom %d with a repeat; at least %d and %d are needed", ErrTooFew, len(customers), repeaters, MinCustomers, MinRepeaters)
	}
	slices.SortFunc(sorted, Customer.compare)
	var groups []Group
	for _, c := range sorted {
		if n := len(groups); n > 0 && groups[n-1].Customer == c {
			groups[n-1].Count++
			continue
		}
		groups = append(groups, Group{Customer: c, Count: 1})
	}
	return groups, nil
}

// compare orders customers by what they bought when.
func (c Customer) compare(other Customer) int {
	return cmp.Or(cmp.Compare(c.Repeats, other.Repeats), cmp.Compare(c.Last, other.Last), cmp.Compare(c.Age, other.Age))
}

func (c Customer) check() error {
	switch {
	case c.Repeats < 0:
		return fmt.Errorf("%w: %d repeats", ErrCustomer, c.Repeats)
	case math.IsNaN(c.Age) || math.IsInf(c.Age, 0) || c.Age < 0:
		return fmt.Errorf("%w: an age of %v", ErrCustomer, c.Age)
	case math.IsNaN(c.Last) || c.Last < 0 || c.Last > c.Age:
		return fmt.Errorf("%w: the last purchase at %v of an age of %v", ErrCustomer, c.Last, c.Age)
	case c.Repeats == 0 && c.Last != 0:
		return fmt.Errorf("%w: a last purchase at %v without repeats", ErrCustomer, c.Last)
	}
	return nil
}
