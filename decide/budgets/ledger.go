// Package budgets keeps to limits of money and of counts, and paces them over time by a
// price: the Lagrange multiplier of the budget, which is taken off the value of whatever
// uses it up. It is pure: it knows nothing of where spending is journalled.
//
// The price follows dual mirror descent with the entropy as its mirror map (Balseiro, Lu
// and Mirrokni, Dual Mirror Descent for Online Allocation Problems, ICML 2020): after
// every step it is multiplied by exp(η(spent/target − 1)), where the target is what is
// left of the budget, divided evenly over the time that is left.
package budgets

import (
	"math"
	"sync"
	"time"
)

// Budget is a limit of what is spent between two moments.
type Budget struct {
	// Key names the budget in refusals.
	Key string
	// Limit is the most that is spent, above 0.
	Limit float64
	// From and Until are its time; Until is the zero time for one without an end, which
	// is then not paced.
	From, Until time.Time
	// Paced spreads it over its time by a price.
	Paced bool
	// StartPrice is the price that it begins with, in units of value per unit spent: an
	// estimate of what the last unit is worth. 0.01 when it is 0.
	StartPrice float64
}

// Charge is what a decision takes from a budget.
type Charge struct {
	Key    string
	Amount float64
}

const (
	defaultPrice = 0.01
	leastPrice   = 1e-6
	mostPrice    = 1e9
	// rate is η per step, and largestStep bounds how far one step moves the exponent.
	rate        = 0.2
	largestStep = 1.0
	// remembered bounds the charges that can be given back or seen a second time.
	remembered = 1_000_000
)

// account is what became of a budget.
type account struct {
	Budget
	spent  float64
	price  float64
	marked float64   // spent at the last step
	at     time.Time // of the last step
}

// Ledger holds the budgets. It is safe for concurrent use.
type Ledger struct {
	mu       sync.RWMutex
	accounts map[string]*account
	charges  map[string][]Charge // by decision
	order    []string            // of charges, a ring
	next     int
	most     int
}

// NewLedger has no budgets.
func NewLedger() *Ledger {
	return &Ledger{accounts: make(map[string]*account), charges: make(map[string][]Charge), most: remembered}
}

// Set replaces the budgets. One that stays keeps what was spent and its price.
func (l *Ledger) Set(list []Budget) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := make(map[string]*account, len(list))
	for _, b := range list {
		a := l.accounts[b.Key]
		if a == nil || !a.From.Equal(b.From) {
			a = &account{price: b.StartPrice}
			if !(a.price > 0) {
				a.price = defaultPrice
			}
		}
		a.Budget = b
		next[b.Key] = a
	}
	l.accounts = next
}

// Refusal says which rule of a budget forbids a charge.
type Refusal string

// Refusals.
const (
	Open      Refusal = ""
	Spent     Refusal = "spent"       // nothing, or too little, is left
	NotBegun  Refusal = "not-started" // its time has not come
	Ended     Refusal = "ended"       // its time is over
	Unplanned Refusal = "unknown"     // there is no such budget
)

// allows says whether a charge can be made at a moment.
func (a *account) allows(amount float64, at time.Time) Refusal {
	switch {
	case at.Before(a.From):
		return NotBegun
	case !a.Until.IsZero() && !at.Before(a.Until):
		return Ended
	case a.spent+amount > a.Limit*(1+1e-12): // sums of amounts are not exact
		return Spent
	}
	return Open
}

// Allowed says whether a charge could be made now.
func (l *Ledger) Allowed(c Charge, at time.Time) Refusal {
	l.mu.RLock()
	defer l.mu.RUnlock()
	a := l.accounts[c.Key]
	if a == nil {
		return Unplanned
	}
	return a.allows(c.Amount, at)
}

// Price is what a unit of the budget costs now in units of value: 0 for one that is not paced.
func (l *Ledger) Price(key string) float64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if a := l.accounts[key]; a != nil && a.Paced && !a.Until.IsZero() {
		return a.price
	}
	return 0
}

// Reserve takes all charges of a decision or, naming the first that cannot be made, none.
// A decision that was charged already is not charged again.
func (l *Ledger) Reserve(id string, charges []Charge, at time.Time) (key string, why Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.charges[id]) > 0 {
		return "", Open
	}
	for i, c := range charges {
		a := l.accounts[c.Key]
		if a == nil {
			continue // it was removed a moment ago
		}
		amount := c.Amount
		for _, before := range charges[:i] {
			if before.Key == c.Key {
				amount += before.Amount
			}
		}
		if why := a.allows(amount, at); why != Open {
			return c.Key, why
		}
	}
	l.take(id, charges)
	return "", Open
}

// Observe adds the charges of a decision that was made elsewhere or earlier, whether or
// not there is enough left. Charges to budgets that have those of the decision are not added again.
func (l *Ledger) Observe(id string, charges []Charge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var fresh []Charge
	for _, c := range charges {
		known := false
		for _, before := range l.charges[id] {
			known = known || before.Key == c.Key
		}
		if !known {
			fresh = append(fresh, c)
		}
	}
	l.take(id, fresh)
}

// take adds charges to what is spent and remembers them.
func (l *Ledger) take(id string, charges []Charge) {
	if len(charges) == 0 {
		return
	}
	for _, c := range charges {
		if a := l.accounts[c.Key]; a != nil {
			a.spent += c.Amount
		}
	}
	if _, ok := l.charges[id]; !ok {
		if len(l.order) < l.most {
			l.order = append(l.order, id)
		} else {
			delete(l.charges, l.order[l.next])
			l.order[l.next] = id
			l.next = (l.next + 1) % l.most
		}
	}
	l.charges[id] = append(l.charges[id], charges...)
}

// Add counts what was spent before, without a decision that could give it back.
func (l *Ledger) Add(key string, amount float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.accounts[key]; a != nil {
		a.spent += amount
		a.marked = a.spent
	}
}

// Release gives back what a decision took, and says whether it had taken something.
func (l *Ledger) Release(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	released := false
	for i, c := range l.charges[id] {
		if a := l.accounts[c.Key]; a != nil {
			a.spent = max(0, a.spent-c.Amount)
		}
		released = released || c.Amount > 0
		l.charges[id][i].Amount = 0 // it stays known, so that it is not charged again
	}
	return released
}

// Withdraw gives back what a decision took that is not made after all: unlike one that was
// released it is not known any more, and can be charged anew.
func (l *Ledger) Withdraw(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.charges[id] {
		if a := l.accounts[c.Key]; a != nil {
			a.spent = max(0, a.spent-c.Amount)
		}
	}
	if list, ok := l.charges[id]; ok {
		l.charges[id] = list[:0]
	}
}

// Step adapts the prices to what was spent since the last step. Call it at intervals
// that are short beside the time of a budget, such as a minute.
func (l *Ledger) Step(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.accounts {
		a.step(now)
	}
}

func (a *account) step(now time.Time) {
	before := a.at
	spent := a.spent - a.marked
	a.at, a.marked = now, a.spent
	if !a.Paced || a.Until.IsZero() || before.IsZero() || now.Before(a.From) || !now.After(before) || !now.Before(a.Until) {
		return
	}
	since := before
	if since.Before(a.From) {
		since = a.From
	}
	// What could be spent evenly from the last step on.
	left := a.Limit - a.spent + spent
	target := left * float64(now.Sub(since)) / float64(a.Until.Sub(since))
	if !(target > 0) {
		a.price = mostPrice
		return
	}
	exponent := min(rate*(spent/target-1), largestStep)
	a.price = min(max(a.price*math.Exp(exponent), leastPrice), mostPrice)
}

// Standing is how a budget stands.
type Standing struct {
	Spent float64 `json:"spent" doc:"What is spent or reserved"`
	Left  float64 `json:"left"`
	Price float64 `json:"price" doc:"Value that a unit of it must bring at least, by which it is paced; 0 when it is not"`
}

// Standing is how a budget stands; the zero value for one that there is not.
func (l *Ledger) Standing(key string) Standing {
	l.mu.RLock()
	defer l.mu.RUnlock()
	a := l.accounts[key]
	if a == nil {
		return Standing{}
	}
	s := Standing{Spent: a.spent, Left: max(0, a.Limit-a.spent)}
	if a.Paced && !a.Until.IsZero() {
		s.Price = a.price
	}
	return s
}
