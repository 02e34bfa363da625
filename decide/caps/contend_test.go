package caps

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestContendIsFair has contacts compete at random and looks at each result in another
// way than it is found: by trying what would have been possible.
func TestContendIsFair(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := []Rule{
			{Key: "all", Limit: rapid.IntRange(1, 4).Draw(t, "limit"), Rolling: time.Duration(rapid.IntRange(1, 48).Draw(t, "hours")) * time.Hour, Arbitrated: rapid.Bool().Draw(t, "arbitrated")},
			{Key: "day", Limit: rapid.IntRange(1, 3).Draw(t, "daily"), Calendar: Day, Class: "advertising", Arbitrated: true},
			{Key: "sms", Limit: 1, Rolling: 36 * time.Hour, Channels: []string{"sms"}},
		}
		ledger := NewLedger(0)
		ledger.SetRules(rules)
		for n := range rapid.IntRange(1, 25).Draw(t, "contacts") {
			c := Contact{ID: fmt.Sprintf("%02d", n), Person: "p", Class: rapid.SampledFrom([]string{"advertising", "advertising", "service"}).Draw(t, "class"),
				Channel: rapid.SampledFrom([]string{"sms", "email", "email"}).Draw(t, "channel"), At: start.Add(time.Duration(rapid.IntRange(0, 72*60).Draw(t, "at")) * time.Minute),
				Priority: rapid.IntRange(0, 1).Draw(t, "priority"), Worth: float64(rapid.IntRange(0, 4).Draw(t, "worth"))}
			c.Yields = c.Class == "advertising" && rapid.Bool().Draw(t, "yields")
			before := ledger.History("p", nil)
			given, rule, ok := ledger.Contend(c)
			after := ledger.History("p", nil)
			if !ok {
				if !slices.EqualFunc(before, after, func(a, b Contact) bool { return a.ID == b.ID && a.Given == b.Given }) {
					t.Fatalf("%+v was refused and changed %+v to %+v", c, before, after)
				}
				// The rule refuses it even when all that may give way to it did.
				for i := range before {
					h := &before[i]
					h.Given = h.Given || h.Yields && !h.Made && (h.Priority < c.Priority || h.Priority == c.Priority && h.Worth < c.Worth)
				}
				if open := Refused(rules, before, &c); open == "" && slices.IndexFunc(rules, func(r Rule) bool { return r.Key == rule && r.Arbitrated }) >= 0 && rules[0].Arbitrated {
					if only := Refused(rules[2:], ledger.History("p", nil), &c); only == "" {
						t.Fatalf("%+v was refused by %s, and has room beside %+v", c, rule, before)
					}
				}
				continue
			}
			for _, g := range given {
				at := slices.IndexFunc(after, func(h Contact) bool { return h.ID == g.ID })
				h := after[at]
				if !h.Given || !h.Yields || h.Made || h.Priority > c.Priority || h.Priority == c.Priority && h.Worth >= c.Worth {
					t.Fatalf("%+v gave way to %+v", h, c)
				}
				if r := slices.IndexFunc(rules, func(r Rule) bool { return r.Key == g.Rule }); !rules[r].Arbitrated {
					t.Fatalf("%+v gave way under %s, which is not arbitrated", h, g.Rule)
				}
				after[at].Given = false
				if Refused(rules, after, &c) == "" {
					t.Fatalf("%+v gave way to %+v without need", h, c)
				}
				after[at].Given = true
			}
			if rapid.IntRange(0, 3).Draw(t, "commit") == 0 {
				ledger.Commit(c.ID, c.At)
			}
			held := slices.DeleteFunc(ledger.History("p", nil), func(h Contact) bool { return h.Given })
			if why := broken(rules, held); why != "" {
				t.Fatal(why)
			}
		}
	})
}
