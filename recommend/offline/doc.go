// Package offline judges recommenders by what people did next: protocols that hide a
// part of what is known, measures at k with intervals, comparisons of two models on the
// same people, and the search for settings.
package offline
