package predict

import (
	"context"
	"regexp"
	"time"

	"quintet/internal/problem"
)

// Family is what a model is about.
type Family string

// The families.
const (
	Churn        Family = "churn"
	NextPurchase Family = "next-purchase"
	Lifetime     Family = "lifetime"
	Uplift       Family = "uplift"
	SendTime     Family = "send-time"
)

// Spec is the definition of a model.
type Spec struct {
	Name        string   `json:"name,omitempty" maxLength:"200" doc:"Name shown to people"`
	Description string   `json:"description,omitempty" maxLength:"1000"`
	Family      Family   `json:"family" enum:"churn,next-purchase,lifetime,uplift,send-time" doc:"churn: no purchase within the horizon. next-purchase: a purchase within it. lifetime: purchases and their value within it. uplift: what a treatment of an experiment changes. send-time: the hour of the week at which messages are answered"`
	HorizonDays int      `json:"horizonDays,omitempty" minimum:"1" maximum:"730" doc:"Days after the moment of prediction that are predicted; 30 when absent"`
	ActiveDays  int      `json:"activeDays,omitempty" minimum:"1" maximum:"1460" doc:"Who is predicted: people with a purchase (of next-purchase: with any event) in so many days before; 180 when absent"`
	Events      []string `json:"events,omitempty" maxItems:"10" doc:"Events that are a purchase; Order Completed when absent"`
	Value       string   `json:"value,omitempty" maxLength:"100" doc:"Numeric property with the value of a purchase, such as margin; revenue when absent"`
	Segments    []string `json:"segments,omitempty" maxItems:"5" doc:"lifetime: segments whose members may have parameters of their own; who is in several counts for the first. They are kept when a likelihood-ratio test says that segments differ"`
	Referrer    string   `json:"referrer,omitempty" maxLength:"100" doc:"lifetime: property, of any event, with the userId of who brought the person; what those whom a person brought are worth is then added up"`
	Attribute   string   `json:"attribute,omitempty" maxLength:"60" doc:"Computed attribute that holds the score; made of the family when absent"`

	Experiment string   `json:"experiment,omitempty" maxLength:"64" doc:"uplift: the experiment whose exposures are learnt from"`
	Control    string   `json:"control,omitempty" maxLength:"64" doc:"uplift: its control variant; control when absent"`
	Treatments []string `json:"treatments,omitempty" maxItems:"5" doc:"uplift: its other variants"`
	Outcome    string   `json:"outcome,omitempty" enum:"purchase,value" doc:"uplift: whether a purchase or its value is the outcome; purchase when absent"`
	Cost       float64  `json:"cost,omitempty" minimum:"0" doc:"uplift: cost of one treatment, in units of the outcome: who gains less is better left alone"`

	Sent     []string `json:"sent,omitempty" maxItems:"10" doc:"send-time: events of a message that was sent or delivered"`
	Answered []string `json:"answered,omitempty" maxItems:"10" doc:"send-time: events of a message that was opened or clicked"`
	Channel  string   `json:"channel,omitempty" maxLength:"64" doc:"send-time: only messages whose property channel is this"`

	RetrainHours int  `json:"retrainHours,omitempty" minimum:"1" maximum:"8760" doc:"Hours after which a new version is trained; 168 when absent"`
	Paused       bool `json:"paused,omitempty" doc:"Trained and scored only when somebody asks"`
	AutoPromote  bool `json:"autoPromote,omitempty" doc:"Promote a challenger that is better on held-out people by itself; the first version becomes champion when its test is passed"`
	MaxRows      int  `json:"maxRows,omitempty" minimum:"100" maximum:"2000000" doc:"People that are learnt from at most; 1000000 when absent"`
}

var attributeName = regexp.MustCompile(`^[a-z][A-Za-z0-9]{0,59}$`)

func (s *Spec) fill() {
	set(&s.HorizonDays, 30)
	set(&s.ActiveDays, 180)
	set(&s.RetrainHours, 168)
	set(&s.MaxRows, 1_000_000)
	set(&s.Value, "revenue")
	set(&s.Control, "control")
	set(&s.Outcome, "purchase")
	if len(s.Events) == 0 {
		s.Events = []string{"Order Completed"}
	}
	if len(s.Sent) == 0 {
		s.Sent = []string{"Message Sent", "Message Delivered", "Email Delivered", "SMS Delivered", "Push Notification Received"}
	}
	if len(s.Answered) == 0 {
		s.Answered = []string{"Message Opened", "Message Clicked", "Email Opened", "Email Link Clicked", "SMS Link Clicked", "Push Notification Tapped"}
	}
	if s.Attribute == "" {
		s.Attribute = map[Family]string{Churn: "churnProbability", NextPurchase: "purchaseProbability", Lifetime: "lifetimeValue", Uplift: "uplift", SendTime: "bestHour"}[s.Family]
	}
}

func set[T comparable](field *T, otherwise T) {
	var zero T
	if *field == zero {
		*field = otherwise
	}
}

// check is the validator of the collection.
func (s *Service) check(_ context.Context, key string, spec *Spec) error {
	var bad problem.Invalid
	switch spec.Family {
	case Churn, NextPurchase, Lifetime, SendTime:
	case Uplift:
		if spec.Experiment == "" {
			bad.Add("experiment", "is needed for a model of uplift", spec.Experiment)
		}
		if len(spec.Treatments) == 0 {
			bad.Add("treatments", "names at least one variant", spec.Treatments)
		}
	default:
		bad.Add("family", "is churn, next-purchase, lifetime, uplift or send-time", spec.Family)
	}
	filled := *spec
	filled.fill()
	if err := filled.checkEffects(); err != nil {
		bad.Add("treatments", err.Error(), spec.Treatments)
	}
	if !attributeName.MatchString(filled.Attribute) {
		bad.Add("attribute", "begins with a lower-case letter and has letters and digits", filled.Attribute)
	}
	if s.reserved != nil && s.reserved(filled.Attribute) {
		bad.Add("attribute", "is the name of a built-in attribute", filled.Attribute)
	}
	for other, v := range s.specs.Snapshot() {
		o := v.Value
		o.fill()
		if other != key && o.Attribute == filled.Attribute {
			bad.Add("attribute", "is written by the model "+other, filled.Attribute)
		}
	}
	return bad.Err()
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
