package delivery

// State is where a message, or its step on a channel, is.
type State string

// The states. Queued, Claimed and Sending are passing; the others are final, but for
// Sent, which receipts of a failure turn into Failed.
const (
	// Queued: it waits for its time, or for its next attempt.
	Queued State = "queued"
	// Claimed: a worker looks at it. When the worker dies it is queued again.
	Claimed State = "claimed"
	// Sending: it is being handed over. When the worker dies it is uncertain.
	Sending State = "sending"
	// Sent: the provider took it.
	Sent State = "sent"
	// Skipped: it must not or cannot be sent; the reason says by which rule.
	Skipped State = "skipped"
	// Failed: the provider refused it, or gave up.
	Failed State = "failed"
	// Uncertain: the provider may have taken it. It is not sent again.
	Uncertain State = "uncertain"
)

// Reasons why a message is skipped, beside the rules of consent and suppression.
const (
	ReasonNoDriver     = "channel-without-driver"
	ReasonInactive     = "channel-inactive"
	ReasonGone         = "gone"
	ReasonUnreachable  = "channel-unreachable"
	ReasonDeadAddress  = "dead-address"
	ReasonExpired      = "expired"
	ReasonQuiet        = "quiet-hours"
	ReasonNoTemplate   = "template-unknown"
	ReasonMissingValue = "value-missing"
	ReasonRender       = "template-failed"
	// ReasonNoCode: the promo codes of the offer ran out, or have ended.
	ReasonNoCode = "no-code"
	// ReasonSettled: a receipt of an earlier step of the cascade ended it.
	ReasonSettled = "settled-before"
)
