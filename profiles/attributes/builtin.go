package attributes

// Type is what the values of an attribute are.
type Type string

// The types of attributes.
const (
	NumberType  Type = "number"
	TextType    Type = "text"
	TimeType    Type = "time" // RFC 3339
	ListType    Type = "list" // of texts
	WeightsType Type = "weights"
)

// BuiltIn is an attribute that is always computed.
type BuiltIn struct {
	Key  string `json:"key"`
	Type Type   `json:"type" enum:"number,text,time,list,weights" doc:"weights: an object whose members are numbers"`
	Doc  string `json:"description"`
	// Memory says that decisions and segments can read it. The others would take
	// too much room for a million people and are read from ClickHouse.
	Memory bool `json:"inMemory" doc:"Decisions and segments can read it; the others are in ClickHouse and in /v1/profiles/{id}/attributes"`
}

// builtIns are the attributes that are always computed. One that makes no sense
// for a person, such as the last order of somebody who never ordered, is absent.
var builtIns = []BuiltIn{
	{"stage", TextType, "Lifecycle stage", true},
	{"lifecycleSegment", TextType, "Lifecycle segment", true},
	{"losses", ListType, "Losses", true},
	{"rfm", TextType, "RFM code, three digits of 1 to 5", true},
	{"rfmSegment", TextType, "RFM segment", true},
	{"recency", NumberType, "RFM score of the last order, 1 to 5", true},
	{"frequency", NumberType, "RFM score of the number of orders, 1 to 5", true},
	{"monetary", NumberType, "RFM score of the spend, 1 to 5", true},
	{"orders", NumberType, "Number of orders", true},
	{"spend", NumberType, "Revenue of the orders less refunds", true},
	{"averageOrder", NumberType, "Spend divided by orders", true},
	{"margin", NumberType, "Margin of the orders whose cost is known", true},
	{"spendQuantile", NumberType, "Share of customers who spent less, 0 to 0.99", true},
	{"discountShare", NumberType, "Share of orders with a discount or coupon", true},
	{"firstOrderAt", TimeType, "Time of the first order", false},
	{"lastOrderAt", TimeType, "Time of the last order", true},
	{"daysSinceFirstOrder", NumberType, "Whole days since the first order", false},
	{"daysSinceLastOrder", NumberType, "Whole days since the last order", true},
	{"daysSinceLastSeen", NumberType, "Whole days since the person last did something", true},
	{"orderGapDays", NumberType, "Mean days between orders", true},
	{"sessions", NumberType, "Visits", true},
	{"views", NumberType, "Products looked at", true},
	{"carts", NumberType, "Products put into a cart", true},
	{"checkouts", NumberType, "Checkouts begun", true},
	{"topCategory", TextType, "Category with the largest affinity", true},
	{"categoryAffinity", WeightsType, "Up to five categories with their shares of the affinity: views count 1, carts 3, bought products 5, half as much after 30 days", false},
	{"peakMonth", NumberType, "Month with the most orders, 1 to 12; the earliest of several", true},
	{"peakQuarter", NumberType, "Quarter with the most orders, 1 to 4; the earliest of several", true},
	{"peakShare", NumberType, "Share of orders in the strongest quarter", true},
	{"orderMonths", WeightsType, "Share of orders by month, 1 to 12", false},
	{"orderQuarters", WeightsType, "Share of orders by quarter, 1 to 4", false},
	{"preferredDevice", TextType, "Device with the most events in 180 days: desktop, mobile, tablet, or what the context says", true},
	{"deviceShare", WeightsType, "Share of events in 180 days by device", false},
	{"preferredChannel", TextType, "Channel whose messages were opened and clicked the most in 180 days", true},
	{"orderChannel", TextType, "Channel with the most orders", true},
	{"messagesSent", WeightsType, "Messages in 180 days by channel", false},
	{"messagesOpened", WeightsType, "Messages opened in 180 days by channel", false},
	{"messagesClicked", WeightsType, "Messages clicked in 180 days by channel", false},
	{"referredCustomers", NumberType, "People whom the person brought and who ordered", true},
	{"referredSpend", NumberType, "Spend of those people", true},
}

// BuiltIns lists the attributes that are always computed.
func BuiltIns() []BuiltIn { return append([]BuiltIn(nil), builtIns...) }

// builtInByKey finds a built-in attribute; the keys are shared by all people.
var builtInByKey = func() map[string]*BuiltIn {
	m := make(map[string]*BuiltIn, len(builtIns))
	for i := range builtIns {
		m[builtIns[i].Key] = &builtIns[i]
	}
	return m
}()

func isBuiltIn(key string) bool { return builtInByKey[key] != nil }
