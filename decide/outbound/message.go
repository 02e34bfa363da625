package outbound

import (
	"context"
	"time"
)

// What messages come from.
const (
	OriginCampaign = "campaign"
	OriginScenario = "scenario"
)

// Message is one contact that was decided on and is to be made.
type Message struct {
	// Key identifies the message for ever: the campaign, its occurrence and the
	// person, or the run of a scenario and its step.
	Key       string `json:"key"`
	Origin    string `json:"origin" enum:"campaign,scenario" doc:"What decided on it"`
	OriginKey string `json:"originKey" doc:"Key of the campaign or scenario"`
	// Step is the occurrence of a campaign, or the node of a scenario.
	Step       string    `json:"step" doc:"Occurrence of the campaign, or node of the scenario"`
	Person     string    `json:"person"`
	ProfileID  string    `json:"profileId"`
	DecisionID string    `json:"decisionId"`
	Decision   string    `json:"decision" doc:"Key of the decision point"`
	Class      string    `json:"class" doc:"Message class" enum:"advertising,service"`
	Basis      Basis     `json:"basis" enum:"consent,legitimate-interest,service"`
	Purpose    string    `json:"purpose,omitempty" doc:"Purpose whose consent is looked at again when it is sent"`
	Offer      string    `json:"offer"`
	Channel    string    `json:"channel"`
	Creative   string    `json:"creative"`
	Items      []string  `json:"items" nullable:"false"`
	SendAt     time.Time `json:"sendAt"`
	// ExpiresAt is the moment from which it is too late to send it.
	ExpiresAt time.Time `json:"expiresAt"`
	Test      bool      `json:"test,omitempty" doc:"Sent by hand to try it"`
}

// Queue takes messages for delivery.
type Queue interface {
	// Enqueue returns when all messages are durable. A message whose key the queue has
	// seen is dropped, so that calling it again is safe.
	Enqueue(ctx context.Context, messages []Message) error
}
