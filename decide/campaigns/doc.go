// Package campaigns contacts an audience on a schedule. A campaign has no message:
// it has an audience, a decision point and the basis on which it may contact people,
// and for each person the decision point says whether, what, where and how.
//
// When an occurrence is due, the audience is written down in one transaction
// (freeze.go); that list is the cursor. Pages of people that wait are locked, decided
// and marked in one transaction with the messages that follow (process.go). A process
// that is killed leaves whole pages or nothing, and any other goes on; the primary key
// of the list and the keys of messages give each person one message.
package campaigns
