package scenarios

import (
	"encoding/json"

	"quintet/decide/outbound"
)

// Kinds of nodes.
const (
	NodeTrigger = "trigger"
	NodeWait    = "wait"
	NodeBranch  = "branch"
	NodeDecide  = "decide"
	NodeExit    = "exit"
)

// Kinds of triggers.
const (
	TriggerSegmentEntered = "segment-entered"
	TriggerSegmentLeft    = "segment-left"
	TriggerEvent          = "event"
	TriggerAbsence        = "absence"
	TriggerDate           = "date"
)

// Scenario is a graph through which people go.
type Scenario struct {
	Name        string           `json:"name,omitempty" maxLength:"200"`
	Description string           `json:"description,omitempty" maxLength:"2000"`
	Consent     outbound.Consent `json:"consent"`
	Nodes       []Node           `json:"nodes" minItems:"1" maxItems:"100" nullable:"false" doc:"The graph; exactly one node is a trigger"`
	ReEntry     ReEntry          `json:"reEntry,omitempty"`
	// ExitOn ends a run wherever it stands: who has ordered needs no reminder.
	ExitOn  []string `json:"exitOn,omitempty" maxItems:"20" nullable:"false" doc:"Names of events that end a run at once"`
	MaxDays int      `json:"maxDays,omitempty" minimum:"0" maximum:"730" doc:"Days after which a run ends wherever it stands; 90 unless set"`
	Zone    string   `json:"zone,omitempty" maxLength:"64" doc:"Time zone of people of whom none is known; UTC unless set"`
}

// ReEntry says whether somebody who was in a scenario may come in again.
type ReEntry struct {
	Mode  string  `json:"mode,omitempty" enum:"never,after-exit,always" doc:"never: once in a life. after-exit: when the run before has ended. always: also beside a run that goes on. after-exit unless set"`
	Hours float64 `json:"hours,omitempty" minimum:"0" maximum:"17520" doc:"Hours since the last entry before which nobody comes in again"`
}

// Re-entry modes.
const (
	ReEnterNever     = "never"
	ReEnterAfterExit = "after-exit"
	ReEnterAlways    = "always"
)

// Node is one place of the graph. Which members belong to it depends on its type.
type Node struct {
	ID   string `json:"id" pattern:"^[a-z0-9][a-z0-9_-]{0,63}$" doc:"Unique in the scenario"`
	Type string `json:"type" enum:"trigger,wait,branch,decide,exit"`
	Name string `json:"name,omitempty" maxLength:"200"`

	Trigger *Trigger `json:"trigger,omitempty" doc:"Of a trigger"`
	Wait    *Wait    `json:"wait,omitempty" doc:"Of a wait"`
	Branch  *Branch  `json:"branch,omitempty" doc:"Of a branch"`
	Decide  *Step    `json:"decide,omitempty" doc:"Of a step"`

	Next string `json:"next,omitempty" doc:"Id of the node that follows; of a branch where it holds, of a wait for an event when it came, of a step when there is a message"`
	// Otherwise of a step or a wait falls back to Next where it is absent.
	Otherwise string `json:"otherwise,omitempty" doc:"Id of the node that follows otherwise: the condition does not hold, the time is over, nothing is sent. Of waits and steps the same as next when absent"`

	X float64 `json:"x,omitempty" doc:"Where the editor shows it"`
	Y float64 `json:"y,omitempty"`
}

// Trigger says who comes in, and when.
type Trigger struct {
	Kind    string          `json:"kind" enum:"segment-entered,segment-left,event,absence,date"`
	Segment string          `json:"segment,omitempty" maxLength:"64"`
	Event   string          `json:"event,omitempty" maxLength:"200" doc:"Name of the event; of an absence that after which something is missed"`
	Where   json.RawMessage `json:"where,omitempty" doc:"Condition on the properties of the event"`
	// Missing and WithinMinutes belong to an absence.
	Missing       string          `json:"missing,omitempty" maxLength:"200" doc:"Of an absence: name of the event that does not follow"`
	WithinMinutes float64         `json:"withinMinutes,omitempty" minimum:"0" maximum:"525600" doc:"Of an absence: for how long it is waited for"`
	Audience      json.RawMessage `json:"audience,omitempty" doc:"Condition over traits, computed attributes and segments that people must meet when they come in"`
	// Attribute holds a date: 2001-05-17, or RFC 3339.
	Attribute  string `json:"attribute,omitempty" maxLength:"128" doc:"Of a date: trait or computed attribute that holds it"`
	Yearly     bool   `json:"yearly,omitempty" doc:"Of a date: every year on that day, as a birthday; the 29th of February is kept on the 28th in other years"`
	OffsetDays int    `json:"offsetDays,omitempty" minimum:"-365" maximum:"365" doc:"Of a date: days after it, before it when negative"`
	At         string `json:"at,omitempty" doc:"Of a date: time of day in the person's time zone, 10:00 unless set"`
}

// Wait is a time, a time of day, or an event with the time after which it is given up.
type Wait struct {
	Minutes float64         `json:"minutes,omitempty" minimum:"0" maximum:"525600" doc:"How long; of an event after which time it is given up"`
	Until   string          `json:"until,omitempty" doc:"Time of day in the person's time zone, after minutes have passed"`
	Event   string          `json:"event,omitempty" maxLength:"200" doc:"Name of an event that ends the wait"`
	Where   json.RawMessage `json:"where,omitempty" doc:"Condition on the properties of the event"`
	// OfDecision makes cascades: a receipt of an earlier message ends no wait.
	OfDecision bool `json:"ofDecision,omitempty" doc:"The event must carry the id of the run's last decision, as receipts do"`
}

// Branch goes on by what is known of the person at that moment.
type Branch struct {
	Condition json.RawMessage `json:"condition" doc:"Over traits, computed attributes, segments, entry (properties of the event that began the run) and last (offer, channel, creative and outcome of the last step)"`
}

// Step asks a decision point and sends what it decides.
type Step struct {
	DecisionPoint string         `json:"decisionPoint" maxLength:"64"`
	Context       map[string]any `json:"context,omitempty" doc:"What the decision is told of the moment"`
	// Properties of the event that began the run go into the context of the decision.
	FromEntry []string `json:"fromEntry,omitempty" maxItems:"20" nullable:"false" doc:"Properties of the event that began the run which the decision is told too"`
	LocalTime string   `json:"localTime,omitempty" doc:"Time of day of sending in the person's time zone; at once when absent"`
}

// trigger is the node that begins the graph, nil without.
func (s *Scenario) trigger() *Node {
	for i := range s.Nodes {
		if s.Nodes[i].Type == NodeTrigger {
			return &s.Nodes[i]
		}
	}
	return nil
}

// node is the one of an id, nil without.
func (s *Scenario) node(id string) *Node {
	for i := range s.Nodes {
		if s.Nodes[i].ID == id {
			return &s.Nodes[i]
		}
	}
	return nil
}

// otherwise is where a node leads that did not do what leads to its next.
func (n *Node) otherwise() string {
	if n.Otherwise == "" {
		return n.Next
	}
	return n.Otherwise
}
