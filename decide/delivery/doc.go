// Package delivery sends what was decided: each message once.
//
// [Queue.Enqueue] stores a message under its key. A worker claims it, asks again
// whether it may go out (consent, suppression, quiet hours, expiry), writes it by its
// template, and marks it as sending before it hands it to the driver of the channel.
// Killed before that mark, the message is claimed again; killed behind it, it becomes
// uncertain and is never sent again, as the provider may have it.
//
// A channel may be a cascade: a row of channels, of which the next is tried when the
// one before failed, or brought no receipt in time. Each is a step with its own state.
// Receipts only ever add what they tell, so that they may come late, twice and in any
// order; a receipt and the start of the next step lock the same row.
//
// What happened goes back as events, through a table that is written in the same
// transaction, and with an id that makes each count once.
package delivery
