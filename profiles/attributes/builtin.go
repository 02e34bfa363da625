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
}

// builtIns are the attributes that are always computed. One that makes no sense
// for a person, such as the last order of somebody who never ordered, is absent.
var builtIns = []BuiltIn{
	{"stage", TextType, "Lifecycle stage"},
	{"lifecycleSegment", TextType, "Lifecycle segment"},
	{"losses", ListType, "Losses"},
	{"rfm", TextType, "RFM code, three digits of 1 to 5"},
	{"rfmSegment", TextType, "RFM segment"},
	{"recency", NumberType, "RFM score of the last order, 1 to 5"},
	{"frequency", NumberType, "RFM score of the number of orders, 1 to 5"},
	{"monetary", NumberType, "RFM score of the spend, 1 to 5"},
	{"orders", NumberType, "Number of orders"},
	{"spend", NumberType, "Revenue of the orders less refunds"},
	{"averageOrder", NumberType, "Spend divided by orders"},
	{"margin", NumberType, "Margin of the orders whose cost is known"},
	{"spendQuantile", NumberType, "Share of customers who spent less, 0 to 0.99"},
	{"discountShare", NumberType, "Share of orders with a discount or coupon"},
	{"firstOrderAt", TimeType, "Time of the first order"},
	{"lastOrderAt", TimeType, "Time of the last order"},
	{"daysSinceFirstOrder", NumberType, "Whole days since the first order"},
	{"daysSinceLastOrder", NumberType, "Whole days since the last order"},
	{"daysSinceLastSeen", NumberType, "Whole days since the person last did something"},
	{"orderGapDays", NumberType, "Mean days between orders"},
	{"sessions", NumberType, "Visits"},
	{"views", NumberType, "Products looked at"},
	{"carts", NumberType, "Products put into a cart"},
	{"checkouts", NumberType, "Checkouts begun"},
	{"topCategory", TextType, "Category with the largest affinity"},
	{"categoryAffinity", WeightsType, "Up to five categories with their shares of the affinity: views count 1, carts 3, bought products 5, half as much after 30 days"},
	{"peakMonth", NumberType, "Month with the most orders, 1 to 12; the earliest of several"},
	{"peakQuarter", NumberType, "Quarter with the most orders, 1 to 4; the earliest of several"},
	{"peakShare", NumberType, "Share of orders in the strongest quarter"},
	{"orderMonths", WeightsType, "Share of orders by month, 1 to 12"},
	{"orderQuarters", WeightsType, "Share of orders by quarter, 1 to 4"},
	{"preferredDevice", TextType, "Device with the most events in 180 days: desktop, mobile, tablet, or what the context says"},
	{"deviceShare", WeightsType, "Share of events in 180 days by device"},
	{"preferredChannel", TextType, "Channel whose messages were opened and clicked the most in 180 days"},
	{"orderChannel", TextType, "Channel with the most orders"},
	{"messagesSent", WeightsType, "Messages in 180 days by channel"},
	{"messagesOpened", WeightsType, "Messages opened in 180 days by channel"},
	{"messagesClicked", WeightsType, "Messages clicked in 180 days by channel"},
	{"referredCustomers", NumberType, "People whom the person brought and who ordered"},
	{"referredSpend", NumberType, "Spend of those people"},
}

// BuiltIns lists the attributes that are always computed.
func BuiltIns() []BuiltIn { return append([]BuiltIn(nil), builtIns...) }

func isBuiltIn(key string) bool {
	for _, b := range builtIns {
		if b.Key == key {
			return true
		}
	}
	return false
}
