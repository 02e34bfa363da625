package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"quintet/decide/outbound"
	"quintet/internal/problem"
	"quintet/profiles"
	"quintet/profiles/identity"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for name, tt := range map[string]struct {
		change func(*Scenario)
		field  string // "" is valid
	}{
		"sound":              {func(*Scenario) {}, ""},
		"no basis":           {func(c *Scenario) { c.Consent = outbound.Consent{} }, "consent.basis"},
		"no trigger":         {func(c *Scenario) { c.Nodes = c.Nodes[1:] }, "nodes"},
		"loop without wait":  {func(c *Scenario) { c.Nodes[4].Next = "second" }, "nodes[4]"},
		"loop by otherwise":  {func(c *Scenario) { c.Nodes[2].Otherwise = "first" }, "nodes[2]"},
		"loop with a wait":   {func(c *Scenario) { c.Nodes[4].Next = "hour"; c.Nodes[4].Otherwise = "end" }, ""},
		"unreached":          {func(c *Scenario) { c.Nodes[3].Otherwise = "end" }, "nodes[4]"},
		"edge to nowhere":    {func(c *Scenario) { c.Nodes[1].Next = "x" }, "nodes[1].next"},
		"edge to trigger":    {func(c *Scenario) { c.Nodes[4].Next = "in" }, "nodes[4].next"},
		"no edge":            {func(c *Scenario) { c.Nodes[1].Next = "" }, "nodes[1].next"},
		"same id":            {func(c *Scenario) { c.Nodes[1].ID = "first" }, "nodes[2].id"},
		"unknown point":      {func(c *Scenario) { c.Nodes[2].Decide.DecisionPoint = "x" }, "nodes[2].decide.decisionPoint"},
		"advert as service":  {func(c *Scenario) { c.Consent = outbound.Consent{Basis: outbound.BasisService} }, "nodes[2].decide.decisionPoint"},
		"wait of nothing":    {func(c *Scenario) { c.Nodes[1].Wait.Minutes = 0 }, "nodes[1].wait.minutes"},
		"wait without end":   {func(c *Scenario) { c.Nodes[3].Wait.Minutes = 0 }, "nodes[3].wait.minutes"},
		"bad condition":      {func(c *Scenario) { c.Nodes[0].Trigger.Where = json.RawMessage(`{"a":{"$near":1}}`) }, "nodes[0].trigger.where.a.$near"},
		"event not named":    {func(c *Scenario) { c.Nodes[0].Trigger.Event = "" }, "nodes[0].trigger.event"},
		"unknown segment":    {func(c *Scenario) { c.Nodes[0].Trigger = &Trigger{Kind: TriggerSegmentEntered, Segment: "x"} }, "nodes[0].trigger.segment"},
		"absence of nothing": {func(c *Scenario) { c.Nodes[0].Trigger.Kind = TriggerAbsence }, "nodes[0].trigger.missing"},
		"wrong part":         {func(c *Scenario) { c.Nodes[1].Branch = &Branch{} }, "nodes[1].branch"},
		"bad mode":           {func(c *Scenario) { c.ReEntry.Mode = "maybe" }, "reEntry.mode"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cart(tt.change)
			err := c.Validate(w.refs)
			if tt.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var bad problem.Invalid
			if !errors.As(err, &bad) || bad[0].Field != tt.field {
				t.Errorf("got %v, want a problem of %s", err, tt.field)
			}
		})
	}
	c := cart(func(c *Scenario) { c.Nodes[4].Next = "second" })
	if err := c.Validate(w.refs); err == nil || !strings.Contains(err.Error(), "second → second") {
		t.Errorf("the loop is not shown: %v", err)
	}
}

// One person's way: the first message after an hour, another when its message is not
// opened in time; a receipt of another decision, or a second time, changes nothing.
func TestCascade(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		receipts func(w *world)
		messages int
	}{
		"not opened": {func(*world) {}, 2},
		"opened":     {func(w *world) { w.happens(0, "Message Opened", of("d1")) }, 1},
		"opened twice": {func(w *world) {
			w.happens(0, "Message Opened", of("d1"))
			w.happens(0, "Message Opened", of("d1"))
		}, 1},
		"another message opened": {func(w *world) { w.happens(0, "Message Opened", of("d77")) }, 2},
		"somebody else's":        {func(w *world) { w.happens(1, "Message Opened", of("d1")) }, 2},
		"ordered":                {func(w *world) { w.happens(0, "Order Completed") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2)
			w.run("cart", cart())
			w.happens(0, "Product Added", func(e *Event) { e.Properties["sku"] = "s1" })
			w.settle()
			w.want(0, 1)
			w.pass(59 * time.Minute)
			w.want(0, 1)
			w.pass(time.Minute)
			w.want(1, 1)
			if got := w.context[0]["sku"]; got != "s1" {
				t.Errorf("the decision was told %v", w.context[0])
			}
			tt.receipts(w)
			w.pass(time.Minute)
			w.pass(5 * time.Hour)
			w.want(tt.messages, 0)
			// A receipt that comes late, or again, neither doubles nor loses anything.
			w.happens(0, "Message Opened", of("d1"))
			w.pass(time.Hour)
			w.want(tt.messages, 0)
		})
	}
}

func of(decision string) func(*Event) { return func(e *Event) { e.DecisionID = decision } }

// Everything is begun anew from what is stored before each step, and the place in the
// stream is put back as if a kill had come before the commit: the same comes out.
func TestRestarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.run("cart", cart(func(c *Scenario) { c.ReEntry.Mode = ReEnterAlways }))
	for i := range 20 {
		w.happens(i, "Product Added")
	}
	for range 40 {
		w.Service = w.again()
		if _, err := w.pool.Exec(t.Context(), `UPDATE scenario_cursor SET sequence = 0`); err != nil {
			t.Fatal(err)
		}
		w.pass(10 * time.Minute)
	}
	w.want(40, 0)
	if n := w.count(`SELECT count(*) FROM scenario_runs`); n != 20 {
		t.Errorf("%d runs, want 20", n)
	}
	if n := w.count(`SELECT count(DISTINCT (person, step)) FROM outbox_messages`); n != 40 {
		t.Errorf("%d different messages, want 40", n)
	}
}

// A page whose commit fails after its decisions leaves nothing, and is done again.
func TestKilledBeforeCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	w.run("cart", cart())
	for i := range 5 {
		w.happens(i, "Product Added")
	}
	w.settle()
	w.mu.Lock()
	w.at = w.at.Add(time.Hour)
	w.mu.Unlock()
	// The outbox is away for a moment: the transaction breaks off where it would commit.
	if _, err := w.pool.Exec(t.Context(), `ALTER TABLE outbox_messages RENAME TO away`); err != nil {
		t.Fatal(err)
	}
	if _, err := w.movePage(t.Context()); err == nil {
		t.Fatal("the page was stored without its messages")
	}
	if _, err := w.pool.Exec(t.Context(), `ALTER TABLE away RENAME TO outbox_messages`); err != nil {
		t.Fatal(err)
	}
	w.want(0, 5)
	w.settle()
	w.want(5, 5)
}

// A run holds to its version, whatever becomes of the scenario.
func TestPinned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.run("cart", cart())
	w.happens(0, "Product Added")
	w.settle()
	w.run("cart", cart(func(c *Scenario) { c.Nodes[1].Wait.Minutes = 600 }))
	w.happens(1, "Product Added")
	w.pass(time.Hour)
	w.want(1, 2) // the second waits ten hours
}

func TestReEntry(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		re   ReEntry
		runs int
	}{
		"never":              {ReEntry{Mode: ReEnterNever}, 1},
		"after exit":         {ReEntry{Mode: ReEnterAfterExit}, 2},
		"always":             {ReEntry{Mode: ReEnterAlways}, 3},
		"after exit, a week": {ReEntry{Mode: ReEnterAfterExit, Hours: 168}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			w.run("cart", cart(func(c *Scenario) { c.ReEntry = tt.re }))
			w.happens(0, "Product Added")
			w.settle()
			w.pass(time.Minute)
			w.happens(0, "Product Added") // beside the first
			w.settle()
			w.pass(10 * time.Hour)
			w.pass(10 * time.Hour)
			w.happens(0, "Product Added") // after it
			w.settle()
			if n := w.count(`SELECT count(*) FROM scenario_runs`); n != tt.runs {
				t.Errorf("%d runs, want %d", n, tt.runs)
			}
		})
	}
}

// Only what happens while a scenario runs brings somebody in; what is imported from
// the past does not, and a note about a segment counts from the service alone.
func TestTriggers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.happens(0, "Product Added")
	w.pass(time.Minute)
	w.run("cart", cart())
	w.run("vip", cart(func(c *Scenario) {
		c.Nodes[0].Trigger = &Trigger{Kind: TriggerSegmentEntered, Segment: "vip", Audience: json.RawMessage(`{"n": {"$lt": 6}}`)}
	}))
	w.happens(1, "Product Added", func(e *Event) { e.Time = e.Time.Add(-48 * time.Hour) })
	note := func(e *Event) { e.Source, e.Properties["segment"] = profiles.NoteSource, "vip" }
	w.happens(2, eventEntered, func(e *Event) { e.Properties["segment"] = "vip" }) // not by the service
	w.happens(3, eventEntered, note, func(e *Event) { e.Properties["segment"] = "other" })
	w.happens(4, eventEntered, note)
	w.happens(5, eventLeft, note)
	w.happens(7, eventEntered, note) // not in the audience
	w.happens(6, "Product Added")
	w.settle()
	var got []string
	rows, err := w.pool.Query(t.Context(), `SELECT scenario || ' ' || person FROM scenario_runs ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		got = append(got, one)
	}
	if want := "cart " + w.id(6) + ";vip " + w.id(4); strings.Join(got, ";") != want {
		t.Errorf("came in: %v, want %s", got, want)
	}
}

func TestAbsence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.run("absent", cart(func(c *Scenario) {
		c.Nodes[0] = Node{ID: "in", Type: NodeTrigger, Trigger: &Trigger{Kind: TriggerAbsence, Event: "Checkout Started", Missing: "Order Paid", WithinMinutes: 30}, Next: "first"}
		c.Nodes = append(c.Nodes[:1], c.Nodes[2:]...)
	}))
	w.happens(0, "Checkout Started")
	w.happens(1, "Checkout Started")
	w.pass(20 * time.Minute)
	w.happens(1, "Order Paid")
	w.pass(5 * time.Minute)
	w.want(0, 1)
	w.pass(5 * time.Minute)
	w.want(1, 1)
}

// Birthdays begin at the local time of each person, once a year; the 29th of February
// is kept on the 28th.
func TestDates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	set := func(i int, date, zone string) {
		v := w.people[identity.NewID(profiles.Identifier{Namespace: "userId", Value: w.people[mustID(t, w.id(i))].Identifiers[0].Value})]
		v.Traits["birthday"], v.Traits["timezone"] = date, zone
	}
	set(0, "1990-03-03", "Asia/Tokyo")
	set(1, "1990-03-03T12:00:00Z", "America/New_York")
	set(2, "1990-03-04", "UTC")
	set(3, "2000-02-29", "UTC")
	w.run("birthday", Scenario{
		Consent: outbound.Consent{Basis: outbound.BasisConsent, Purpose: "marketing"},
		Nodes: []Node{
			{ID: "in", Type: NodeTrigger, Trigger: &Trigger{Kind: TriggerDate, Attribute: "birthday", Yearly: true, At: "10:00"}, Next: "gift"},
			{ID: "gift", Type: NodeDecide, Decide: &Step{DecisionPoint: "cart"}, Next: "end"},
			{ID: "end", Type: NodeExit},
		},
	})
	w.settle() // 2 March, 08:00 UTC
	w.want(0, 2)
	w.pass(17*time.Hour - time.Minute) // 3 March, 00:59 UTC: 09:59 in Tokyo
	w.want(0, 3)                       // the 4th is looked through by now
	w.pass(time.Minute)
	w.want(1, 2)
	w.pass(14 * time.Hour) // 15:00 UTC: 10:00 in New York
	w.want(2, 1)
	w.pass(24 * time.Hour)
	w.want(3, 0)
	for range 11 {
		w.pass(30 * 24 * time.Hour)
	}
	w.want(3, 0) // days that were missed are not made up for, but for the last three
	for w.time().Before(time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)) {
		w.pass(6 * time.Hour)
	}
	w.want(4, 0)
}

func mustID(t *testing.T, text string) identity.ID {
	t.Helper()
	id, ok := identity.ParseID(text)
	if !ok {
		t.Fatal(text)
	}
	return id
}

// Waits until a time of day stay at that time when clocks are put forward and back.
func TestWaitUntil(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no tz data base")
	}
	for _, from := range []string{"2026-03-28T12:00:00+01:00", "2026-10-24T12:00:00+02:00", "2026-06-01T08:59:00+02:00", "2026-06-01T09:00:00+02:00"} {
		now, err := time.Parse(time.RFC3339, from)
		if err != nil {
			t.Fatal(err)
		}
		r := &run{node: "w"}
		r.wait(&Wait{Until: "09:00"}, now, zone)
		if local := r.dueAt.In(zone); local.Hour() != 9 || local.Minute() != 0 || !r.dueAt.After(now) || r.dueAt.Sub(now) > 25*time.Hour {
			t.Errorf("from %s it waits until %v", from, local)
		}
	}
}

func TestPauseAndStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.run("cart", cart())
	w.happens(0, "Product Added")
	w.settle()
	if _, err := w.Pause(t.Context(), "cart", "test"); err != nil {
		t.Fatal(err)
	}
	w.happens(1, "Product Added")
	w.pass(2 * time.Hour)
	w.want(0, 1)
	if _, err := w.Start(t.Context(), "cart", "test"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.want(1, 1)
	if _, err := w.Stop(t.Context(), "cart", "test"); err != nil {
		t.Fatal(err)
	}
	w.pass(10 * time.Hour)
	w.want(0, 0) // the message was not handed over yet
}

// A step that cannot be decided is tried again and given up in the end; what may not be
// sent is not sent, and the run goes on.
func TestFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.run("cart", cart())
	w.happens(0, "Product Added")
	w.settle()
	w.broken = true
	for range maxAttempts + 2 {
		w.pass(time.Hour)
	}
	if n := w.count(`SELECT count(*) FROM scenario_runs WHERE status = 'failed' AND reason = 'broken'`); n != 1 {
		t.Errorf("%d failed runs, want 1", n)
	}
	w.broken, w.refused = false, true
	w.happens(0, "Product Added")
	w.settle()
	w.pass(time.Hour)
	w.pass(5 * time.Hour)
	w.want(0, 0)
	if n := w.count(`SELECT count(*) FROM scenario_steps WHERE outcome = 'no-consent' AND reason = $1`, profiles.RuleNoConsent); n != 2 {
		t.Errorf("%d steps without consent, want 2", n)
	}
}

func TestBranch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.member[w.id(0)] = []string{"vip"}
	w.run("branch", cart(func(c *Scenario) {
		c.Nodes = []Node{
			{ID: "in", Type: NodeTrigger, Trigger: &Trigger{Kind: TriggerEvent, Event: "Visit"}, Next: "which"},
			{ID: "which", Type: NodeBranch, Branch: &Branch{Condition: json.RawMessage(`{"segments": {"$elemMatch": {"$eq": "vip"}}, "entry.page": "home"}`)}, Next: "yes", Otherwise: "end"},
			{ID: "yes", Type: NodeDecide, Decide: &Step{DecisionPoint: "cart"}, Next: "end"},
			{ID: "end", Type: NodeExit},
		}
	}))
	for i := range 2 {
		w.happens(i, "Visit", func(e *Event) { e.Properties["page"] = "home" })
	}
	w.settle()
	w.want(1, 0)
	p, err := w.Progress(t.Context(), "branch")
	if err != nil || p.Runs["done"] != 2 {
		t.Fatal(p, err)
	}
	for _, n := range p.Nodes {
		if n.Node == "which" && (n.Outcomes["yes"] != 1 || n.Outcomes["no"] != 1) {
			t.Errorf("the branch was passed %v", n.Outcomes)
		}
	}
	runs, err := w.Runs(t.Context(), "branch", w.id(0), "", w.time().Add(time.Hour), 10)
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	r, err := w.ReadRun(t.Context(), runs[0].ID)
	if err != nil || len(r.Steps) != 4 || r.Steps[2].Channel != "email" || r.Steps[2].DecisionID != "d1" {
		t.Errorf("the run is %+v, %v", r, err)
	}
	// Somebody who was erased is in no table.
	sub := &profiles.ErasureSubject{Profiles: []profiles.ErasedProfile{{Text: w.id(0)}}}
	for _, part := range []profiles.ErasurePart{w.Service, w.outbox} {
		if _, err := part.Erase(context.Background(), sub); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{"scenario_runs", "outbox_messages"} {
		if n := w.count(`SELECT count(*) FROM `+table+` t WHERE t::text LIKE '%'||$1||'%'`, w.id(0)); n != 0 {
			t.Errorf("%d rows of %s name the person", n, table)
		}
	}
	if n := w.count(`SELECT count(*) FROM scenario_steps WHERE run = $1`, runs[0].ID); n != 0 {
		t.Errorf("%d steps are left", n)
	}
}

// Every template makes a scenario that can be saved, once what has no default is given.
func TestTemplates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	if n := len(w.Templates()); n < 15 {
		t.Errorf("%d templates", n)
	}
	for _, tpl := range w.Templates() {
		values := map[string]any{}
		for _, v := range tpl.Variables {
			switch v.Kind {
			case VariablePoint:
				values[v.Name] = "cart"
				if tpl.Stage == "service" {
					values[v.Name] = "receipt"
				}
			case VariablePurpose:
				values[v.Name] = "marketing"
			case VariableSegment:
				values[v.Name] = "vip"
			}
		}
		c, err := w.Fill(tpl.Key, values)
		if err != nil {
			t.Errorf("%s: %v", tpl.Key, err)
			continue
		}
		if err := c.Validate(w.refs); err != nil {
			t.Errorf("%s: %v", tpl.Key, err)
		}
		if _, err := w.Fill(tpl.Key, map[string]any{"unknown": "x"}); err == nil {
			t.Errorf("%s takes a variable that it does not have", tpl.Key)
		}
	}
	if _, err := w.Fill("unknown", nil); err == nil {
		t.Error("an unknown template was filled")
	}
	if _, err := parseTemplate([]byte(`{"key":"x","variables":[],"scenario":{"name":"${nobody}"}}`)); err == nil {
		t.Error("a template names a variable that it does not have")
	}
}
