package sendtime

import (
	"errors"
	"fmt"
	"time"
)

// Slots is the number of hours of a week; slot 0 is Monday from midnight to one o'clock.
const Slots = 168

// SlotOf is the slot of a moment in a time zone.
func SlotOf(t time.Time, zone *time.Location) int {
	local := t.In(zone)
	return (int(local.Weekday())+6)%7*24 + local.Hour()
}

// Name writes a slot as people do, such as "Tue 18:00".
func Name(slot int) string {
	return fmt.Sprintf("%s %02d:00", [...]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}[slot/24], slot%24)
}

// Message is one message that was sent, and whether it was answered.
type Message struct {
	Person string
	Group  string // a segment of people who live alike; may be empty
	Slot   int    // local hour of the week of sending
	// Propensity is the logged probability of the slot; 0 where none was logged.
	Propensity float64
	Answered   bool
	At         time.Time
}

// ErrTooFew is the error of too few messages or answers to learn from.
var ErrTooFew = errors.New("too few messages")

// machineWithin is how soon after delivery an open is taken for that of a machine.
const machineWithin = 3 * time.Second

// Machine says whether an open was made by a mail server and not by a person: it came
// within three seconds of delivery, or the client says so.
func Machine(sent, opened time.Time, flagged bool) bool {
	return flagged || opened.Sub(sent) < machineWithin
}
