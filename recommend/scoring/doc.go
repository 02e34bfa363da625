// Package scoring holds what recommenders have in common: the interfaces under which
// they are served and evaluated, sets of items that may be shown, and the selection
// of the best.
//
// A model speaks of items by their number in its vocabulary
// (interactions.Vocabulary). It does not know people: a person is a history of
// events, so that somebody who came a second ago is served like everybody else and
// the memory does not grow with the number of people.
package scoring
