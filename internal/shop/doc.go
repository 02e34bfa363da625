// Package shop is a generated shop: customers with a hidden taste, sensitivity
// to price and habits, a catalogue with margins and stock, and channels with
// costs. How a customer responds to an action is known to the simulator alone.
//
// It uses the service as a shop would, over HTTP: it creates its catalogue and
// decision point, sends the history of its customers, and then, visit after
// visit, asks for a decision, responds and sends what happened. Because the
// simulator knows the expected response to every action, [Judge] can tell what
// the decisions were truly worth, and so whether a report told the truth.
//
// Everything follows from one seed: the same seed gives the same world, and the
// same visits with the same responses to the same actions.
package shop
