// Package interactions holds what people did with items in the dense form that
// recommenders learn from: vocabularies that number people and items, a log of
// everybody's events in the order of time, and sparse matrices made of it.
//
// It is pure: nothing here reads a database or a clock.
package interactions
