// Package channels speaks the protocols by which a message reaches somebody: SMTP,
// SMPP, web push, Firebase Cloud Messaging, Telegram, and HTTP calls of other services
// by a template of the request.
//
// A [Config] with its secrets is opened as a [Driver]. A driver sends one [Outgoing]
// at a time and keeps nothing: what is sent when, and what after a failure, is for
// package delivery. So that it can tell, every failure is a [Failure] of a kind.
package channels
