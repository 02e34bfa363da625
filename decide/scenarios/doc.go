// Package scenarios leads people through graphs: something happens, then wait, look,
// decide, and so on until an exit. A step that contacts somebody is a question to a
// decision point, not a fixed message.
//
// A run is one person on their way through one version of a scenario. It is a row of
// Postgres with the node at which it stands and the moment at which it goes on: that
// is the timer (timers.go). Runs that are due are locked, moved on to their next wait,
// and stored with their messages in one transaction, so that a process that is killed
// leaves a step done or not done. The key of a message is the run with its step.
//
// What happens is read from the log of events in the order of the stream
// (triggers.go); runs that begin or wake are stored in one transaction with the place
// up to which was read. A trigger by date looks through the people once a day.
package scenarios
