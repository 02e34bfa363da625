package lifecycle

import (
	"fmt"
	"slices"

	"quintet/internal/problem"
)

// Commerce names the events and properties from which facts are made. The
// defaults are those of the Segment specification for e-commerce. Properties of
// events are paths with dots between levels.
type Commerce struct {
	Orders    []string `json:"orders,omitempty" maxItems:"20" doc:"Events that are an order"`
	Refunds   []string `json:"refunds,omitempty" maxItems:"20" doc:"Events that give money back; their revenue is subtracted"`
	Views     []string `json:"views,omitempty" maxItems:"20" doc:"Events that look at a product"`
	Carts     []string `json:"carts,omitempty" maxItems:"20" doc:"Events that put a product into a cart"`
	Checkouts []string `json:"checkouts,omitempty" maxItems:"20" doc:"Events that begin a checkout"`
	SignUps   []string `json:"signUps,omitempty" maxItems:"20" doc:"Events that register a person; a userId does too"`
	Surveys   []string `json:"surveys,omitempty" maxItems:"20" doc:"Answers to surveys, which are no activity"`
	Messages  []Touch  `json:"messages,omitempty" maxItems:"60" doc:"Events about messages to the person, by channel"`

	OrderID  []string `json:"orderId,omitempty" maxItems:"10" doc:"Property with the order's id: two events with one id are one order"`
	Revenue  []string `json:"revenue,omitempty" maxItems:"10" doc:"Numeric property with the order's revenue; the first that is there counts, else price times quantity of the products"`
	Margin   []string `json:"margin,omitempty" maxItems:"10" doc:"Numeric property with the order's margin; else revenue less cost, where a cost is known"`
	Cost     []string `json:"cost,omitempty" maxItems:"10" doc:"Numeric property with the order's cost"`
	Discount []string `json:"discount,omitempty" maxItems:"10" doc:"Numeric property with the order's discount"`
	Coupon   []string `json:"coupon,omitempty" maxItems:"10" doc:"Property with the order's coupon"`
	Channel  []string `json:"channel,omitempty" maxItems:"10" doc:"Property with the channel of an order or message"`
	Referrer []string `json:"referrer,omitempty" maxItems:"10" doc:"Property, of any sign-up or order, with the userId of who brought the person"`

	Products string `json:"products,omitempty" maxLength:"100" doc:"Property with the list of an order's products"`
	Category string `json:"category,omitempty" maxLength:"100" doc:"Property of a product, or of a view or cart event"`
	Price    string `json:"price,omitempty" maxLength:"100" doc:"Property of a product"`
	Quantity string `json:"quantity,omitempty" maxLength:"100" doc:"Property of a product; 1 when it is not there"`
	UnitCost string `json:"unitCost,omitempty" maxLength:"100" doc:"Property of a product: what one of it cost"`
}

// Touch is an event about a message.
type Touch struct {
	Event   string `json:"event" maxLength:"256"`
	Channel string `json:"channel,omitempty" maxLength:"64" doc:"Channel, unless the event's channel property says another"`
	Kind    string `json:"kind" enum:"sent,opened,clicked"`
}

// TouchKinds are what can become of a message.
var TouchKinds = []string{"sent", "opened", "clicked"}

// DefaultCommerce has the names of the Segment specification.
func DefaultCommerce() Commerce {
	return Commerce{
		Orders: []string{"Order Completed"}, Refunds: []string{"Order Refunded"}, Views: []string{"Product Viewed"},
		Carts: []string{"Product Added"}, Checkouts: []string{"Checkout Started"}, SignUps: []string{"Signed Up", "Account Created"},
		Surveys: []string{"Survey Answered"},
		Messages: []Touch{
			{"Email Delivered", "email", "sent"}, {"Email Opened", "email", "opened"}, {"Email Link Clicked", "email", "clicked"},
			{"Push Notification Received", "push", "sent"}, {"Push Notification Tapped", "push", "clicked"},
			{"SMS Delivered", "sms", "sent"}, {"SMS Link Clicked", "sms", "clicked"},
			{"Message Sent", "", "sent"}, {"Message Delivered", "", "sent"}, {"Message Opened", "", "opened"}, {"Message Clicked", "", "clicked"},
		},
		OrderID: []string{"order_id", "orderId"}, Revenue: []string{"revenue", "total", "value"}, Margin: []string{"margin", "profit"},
		Cost: []string{"cost"}, Discount: []string{"discount"}, Coupon: []string{"coupon"}, Channel: []string{"channel"},
		Referrer: []string{"referredBy", "referrerId"},
		Products: "products", Category: "category", Price: "price", Quantity: "quantity", UnitCost: "cost",
	}
}

func (c *Commerce) normalise() {
	d := DefaultCommerce()
	for _, f := range c.lists(&d) {
		if *f.list == nil {
			*f.list = *f.preset
		}
	}
	if c.Messages == nil {
		c.Messages = d.Messages
	}
	for _, f := range c.names(&d) {
		if *f.name == "" {
			*f.name = *f.preset
		}
	}
}

type listField struct {
	field        string
	list, preset *[]string
}

// lists are the fields with several names, beside those of d.
func (c *Commerce) lists(d *Commerce) []listField {
	return []listField{
		{"orders", &c.Orders, &d.Orders}, {"refunds", &c.Refunds, &d.Refunds}, {"views", &c.Views, &d.Views}, {"carts", &c.Carts, &d.Carts},
		{"checkouts", &c.Checkouts, &d.Checkouts}, {"signUps", &c.SignUps, &d.SignUps}, {"surveys", &c.Surveys, &d.Surveys},
		{"orderId", &c.OrderID, &d.OrderID}, {"revenue", &c.Revenue, &d.Revenue}, {"margin", &c.Margin, &d.Margin}, {"cost", &c.Cost, &d.Cost},
		{"discount", &c.Discount, &d.Discount}, {"coupon", &c.Coupon, &d.Coupon}, {"channel", &c.Channel, &d.Channel},
		{"referrer", &c.Referrer, &d.Referrer},
	}
}

type nameField struct {
	field        string
	name, preset *string
}

func (c *Commerce) names(d *Commerce) []nameField {
	return []nameField{
		{"products", &c.Products, &d.Products}, {"category", &c.Category, &d.Category}, {"price", &c.Price, &d.Price},
		{"quantity", &c.Quantity, &d.Quantity}, {"unitCost", &c.UnitCost, &d.UnitCost},
	}
}

// maxNames bounds a list of events or properties.
const maxNames = 20

func (c *Commerce) validate() problem.Invalid {
	var bad problem.Invalid
	for _, f := range c.lists(c) {
		if len(*f.list) > maxNames {
			bad.Add(f.field, fmt.Sprintf("must be at most %d names", maxNames), len(*f.list))
		}
		for i, name := range *f.list {
			checkText(&bad, fmt.Sprintf("%s[%d]", f.field, i), name)
		}
	}
	if len(c.Orders) == 0 {
		bad.Add("orders", "must name at least one event", nil)
	}
	for _, f := range c.names(c) {
		checkText(&bad, f.field, *f.name)
	}
	if len(c.Messages) > 60 {
		bad.Add("messages", "must be at most 60", len(c.Messages))
	}
	for i, m := range c.Messages {
		at := fmt.Sprintf("messages[%d]", i)
		checkText(&bad, at+".event", m.Event)
		if m.Channel != "" {
			checkText(&bad, at+".channel", m.Channel)
		}
		if !slices.Contains(TouchKinds, m.Kind) {
			bad.Add(at+".kind", "must be sent, opened or clicked", problem.Clip(m.Kind))
		}
	}
	return bad
}

// checkText checks the name of an event or property.
func checkText(bad *problem.Invalid, field, name string) {
	if name == "" || len(name) > 256 {
		bad.Add(field, "must be text of 1 to 256 bytes", len(name))
		return
	}
	checkName(bad, field, name)
}
