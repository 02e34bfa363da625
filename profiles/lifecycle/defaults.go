package lifecycle

// Default is the table of a new installation.
func Default() Table {
	var t Table
	t.Normalise()
	return t
}

// DefaultRFM scores by quantiles and names codes by the eleven boxes of the rfm
// package for R. The boxes overlap, and the order decides: of the eleven, new,
// promising, cant-lose and lost lie wholly inside earlier boxes, so no code gets
// them unless the order is changed ([RFM.Unreachable] tells).
func DefaultRFM() RFM {
	box := func(key, name string, r0, r1, f0, f1, m0, m1 int) Box {
		return Box{Key: key, Name: name, Recency: Range{r0, r1}, Frequency: Range{f0, f1}, Monetary: Range{m0, m1}}
	}
	return RFM{Method: Quantiles, Other: "other", Segments: []Box{
		box("champions", "Champions", 4, 5, 4, 5, 4, 5),
		box("loyal", "Loyal customers", 2, 5, 3, 5, 3, 5),
		box("potential-loyalist", "Potential loyalists", 3, 5, 1, 3, 1, 3),
		box("new", "New customers", 4, 5, 1, 1, 1, 1),
		box("promising", "Promising", 3, 4, 1, 1, 1, 1),
		box("need-attention", "Need attention", 2, 3, 2, 3, 2, 3),
		box("about-to-sleep", "About to sleep", 2, 3, 1, 2, 1, 2),
		box("at-risk", "At risk", 1, 2, 2, 5, 2, 5),
		box("cant-lose", "Can't lose them", 1, 1, 4, 5, 4, 5),
		box("hibernating", "Hibernating", 1, 2, 1, 2, 1, 2),
		box("lost", "Lost", 1, 2, 1, 2, 1, 2),
	}}
}

func is(fact Fact, op Operator, value float64) Condition { return Condition{fact, op, value} }

// rule holds when all conditions do.
func rule(key, name, description string, conditions ...Condition) Rule {
	r := Rule{Key: key, Name: name, Description: description}
	if len(conditions) > 0 {
		r.Any = []Group{{All: conditions}}
	}
	return r
}

// DefaultStages are the five stages.
func DefaultStages() []Rule {
	activated := rule("activate", "Activate", "Known or interested, but never ordered.", is(Registered, Equal, 1))
	activated.Any = append(activated.Any, Group{[]Condition{is(Views, AtLeast, 1)}}, Group{[]Condition{is(Carts, AtLeast, 1)}})
	return []Rule{
		rule("reactivate", "Reactivate", "Ordered, but not for more than 90 days.", is(Orders, AtLeast, 1), is(DaysSinceLastOrder, More, 90)),
		rule("grow", "Grow and keep", "Ordered at least twice, the last time within 90 days.", is(Orders, AtLeast, 2)),
		rule("first-order", "First order", "Ordered once, within 90 days.", is(Orders, AtLeast, 1)),
		activated,
		rule("acquire", "Acquire", "Everybody else: seen, and no more."),
	}
}

// DefaultSegments are the fourteen lifecycle segments.
func DefaultSegments() []Rule {
	seasonal := rule("seasonal", "Seasonal or discount only", "Three orders or more, and nearly all in one quarter of the year or with a discount.",
		is(Orders, AtLeast, 3), is(PeakShare, AtLeast, 0.8), is(DaysSinceFirstOrder, AtLeast, 365))
	seasonal.Any = append(seasonal.Any, Group{[]Condition{is(Orders, AtLeast, 3), is(DiscountShare, AtLeast, 0.8)}})
	return []Rule{
		rule("lost", "Lost", "Ordered, but not for more than a year.", is(DaysSinceLastOrder, More, 365)),
		rule("at-risk", "At risk, high value", "Among the best fifth by spend, and no order for more than 90 days.",
			is(DaysSinceLastOrder, More, 90), is(SpendQuantile, AtLeast, 0.8)),
		rule("cooling", "Cooling", "No order for more than 90 days.", is(DaysSinceLastOrder, More, 90)),
		rule("champion", "Champion", "Scores of 4 or 5 in recency, frequency and spend, and at least three orders.",
			is(Orders, AtLeast, 3), is(Recency, AtLeast, 4), is(Frequency, AtLeast, 4), is(Monetary, AtLeast, 4)),
		seasonal,
		rule("loyal", "Loyal", "Four orders or more.", is(Orders, AtLeast, 4)),
		rule("repeat", "Repeat", "Two or three orders.", is(Orders, AtLeast, 2)),
		rule("second-order-due", "Second order due", "One order, more than 30 days ago.", is(Orders, AtLeast, 1), is(DaysSinceLastOrder, More, 30)),
		rule("first-order", "First order", "One order, within 30 days.", is(Orders, AtLeast, 1)),
		rule("cart-abandoner", "Cart abandoner", "Never ordered, but filled a cart.", is(Carts, AtLeast, 1)),
		rule("product-browser", "Product browser", "Never ordered, but looked at products.", is(Views, AtLeast, 1)),
		rule("registered", "Registered without order", "Known, but neither ordered nor looked at a product.", is(Registered, Equal, 1)),
		rule("returning-visitor", "Returning visitor", "Unknown, seen in two visits or more.", is(Sessions, AtLeast, 2)),
		rule("anonymous-visitor", "Anonymous visitor", "Everybody else."),
	}
}

// DefaultLosses are the six losses.
func DefaultLosses() []Rule {
	return []Rule{
		rule("bounce", "Bounce", "One visit with one event, a day ago or more.",
			is(Sessions, Equal, 1), is(Events, Equal, 1), is(Orders, Equal, 0), is(DaysSinceLastSeen, AtLeast, 1)),
		rule("browse-abandoned", "Browse abandoned", "Looked at products since the last order without filling a cart, 1 to 30 days ago.",
			is(OpenView, Equal, 1), is(OpenCart, Equal, 0), is(OpenCheckout, Equal, 0), is(DaysSinceLastView, AtLeast, 1), is(DaysSinceLastView, AtMost, 30)),
		rule("cart-abandoned", "Cart abandoned", "Filled a cart since the last order without going to the checkout, 1 to 30 days ago.",
			is(OpenCart, Equal, 1), is(OpenCheckout, Equal, 0), is(DaysSinceLastCart, AtLeast, 1), is(DaysSinceLastCart, AtMost, 30)),
		rule("checkout-abandoned", "Checkout abandoned", "Began a checkout since the last order, 1 to 30 days ago.",
			is(OpenCheckout, Equal, 1), is(DaysSinceLastCheckout, AtLeast, 1), is(DaysSinceLastCheckout, AtMost, 30)),
		rule("one-and-done", "One and done", "One order, more than 180 days ago.", is(Orders, Equal, 1), is(DaysSinceLastOrder, More, 180)),
		rule("lapsed-loyal", "Lapsed loyal", "Four orders or more, the last more than 180 days ago.", is(Orders, AtLeast, 4), is(DaysSinceLastOrder, More, 180)),
	}
}
