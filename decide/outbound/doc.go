// Package outbound holds what campaigns and scenarios have in common: how a
// person who did not ask is decided about, and how a message that follows gets
// to delivery exactly once.
//
// [Judge] asks the decision point and then checks, once more and by itself, the
// consent on which the campaign rests. What is to be sent becomes a [Message]
// with a key made of what caused it. [Outbox.Put] stores it in the transaction
// that also moves the campaign or the run on, so that either both happened or
// neither; [Outbox.Run] hands stored messages to delivery, which drops a key that
// it has. Killed anywhere, nobody gets a message twice and none is lost.
//
// An outbox keeps ids and no addresses: delivery looks an address up when it sends.
package outbound
