package campaigns

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"quintet/decide"
	"quintet/decide/outbound"
	"quintet/internal/problem"
	"quintet/profiles"
	"quintet/profiles/identity"
)

func (w *world) mailed(v *profiles.View) bool {
	_, fate := w.oracle.fate(request(v))
	return fate > 1
}

func request(v *profiles.View) *decide.Request { return &decide.Request{User: outbound.User(v)} }

func TestValidate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for name, tt := range map[string]struct {
		change func(*Campaign)
		field  string // "" is valid
	}{
		"sound":             {func(*Campaign) {}, ""},
		"no basis":          {func(c *Campaign) { c.Consent = outbound.Consent{} }, "consent.basis"},
		"no purpose":        {func(c *Campaign) { c.Consent.Purpose = "" }, "consent.purpose"},
		"unknown purpose":   {func(c *Campaign) { c.Consent.Purpose = "x" }, "consent.purpose"},
		"unknown basis":     {func(c *Campaign) { c.Consent.Basis = "because" }, "consent.basis"},
		"advert as service": {func(c *Campaign) { c.Consent = outbound.Consent{Basis: outbound.BasisService} }, "decisionPoint"},
		"service": {func(c *Campaign) {
			c.Consent, c.DecisionPoint = outbound.Consent{Basis: outbound.BasisService}, "receipt"
		}, ""},
		"no point":        {func(c *Campaign) { c.DecisionPoint = "" }, "decisionPoint"},
		"unknown point":   {func(c *Campaign) { c.DecisionPoint = "x" }, "decisionPoint"},
		"no audience":     {func(c *Campaign) { c.Audience = Audience{} }, "audience"},
		"unknown segment": {func(c *Campaign) { c.Audience.Segment = "x" }, "audience.segment"},
		"empty by itself": {func(c *Campaign) { c.Audience = Audience{Segment: "even", Without: "even"} }, "audience.without"},
		"bad condition":   {func(c *Campaign) { c.Audience.Condition = json.RawMessage(`{"n": {"$near": 1}}`) }, "audience.condition.n.$near"},
		"no kind":         {func(c *Campaign) { c.Schedule = Schedule{} }, "schedule.kind"},
		"no time":         {func(c *Campaign) { c.Schedule = Schedule{Kind: Daily} }, "schedule.time"},
		"bad zone":        {func(c *Campaign) { c.Schedule = Schedule{Kind: Daily, Time: "09:00", Zone: "Mars/Base"} }, "schedule.zone"},
		"weekly, no day":  {func(c *Campaign) { c.Schedule = Schedule{Kind: Weekly, Time: "09:00"} }, "schedule.weekdays"},
		"day 32":          {func(c *Campaign) { c.Schedule = Schedule{Kind: Monthly, Time: "09:00", Day: 32} }, "schedule.day"},
		"bad local time":  {func(c *Campaign) { c.LocalTime = "25:00" }, "localTime"},
		"nested context":  {func(c *Campaign) { c.Context = map[string]any{"a": []any{1}} }, "context.a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sound(tt.change)
			err := c.Validate(w.refs)
			if tt.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			bad, ok := err.(problem.Invalid)
			if !ok || bad[0].Field != tt.field {
				t.Errorf("got %v, want a problem of %s", err, tt.field)
			}
		})
	}
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Moments were looked up in the tz data base: in Berlin summer time begins on
// 2026-03-29 and ends on 2026-10-25.
func TestNext(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		s        Schedule
		at, want string
	}{
		"later today":          {Schedule{Kind: Daily, Time: "09:00", Zone: "UTC"}, "2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z"},
		"tomorrow":             {Schedule{Kind: Daily, Time: "09:00", Zone: "UTC"}, "2026-11-23T09:00:01Z", "2026-11-24T09:00:00Z"},
		"winter before summer": {Schedule{Kind: Daily, Time: "09:00", Zone: "Europe/Berlin"}, "2026-03-28T09:00:00Z", "2026-03-29T07:00:00Z"},
		"summer before winter": {Schedule{Kind: Daily, Time: "09:00", Zone: "Europe/Berlin"}, "2026-10-24T09:00:00Z", "2026-10-25T08:00:00Z"},
		"next Monday":          {Schedule{Kind: Weekly, Time: "10:00", Zone: "UTC", Weekdays: []int{1}}, "2026-11-24T00:00:00Z", "2026-11-30T10:00:00Z"},
		"end of February":      {Schedule{Kind: Monthly, Time: "10:00", Zone: "UTC", Day: 31}, "2026-02-01T00:00:00Z", "2026-02-28T10:00:00Z"},
		"leap year":            {Schedule{Kind: Monthly, Time: "10:00", Zone: "UTC", Day: 31}, "2028-02-01T00:00:00Z", "2028-02-29T10:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := tt.s.Next(moment(t, tt.at))
			if want := moment(t, tt.want); !ok || !got.Equal(want) {
				t.Errorf("got %v %v, want %v", got.UTC(), ok, want)
			}
		})
	}
	end := moment(t, "2026-11-24T00:00:00Z")
	ended := Schedule{Kind: Daily, Time: "09:00", Zone: "UTC", Until: &end}
	if at, ok := ended.Next(moment(t, "2026-11-23T10:00:00Z")); ok {
		t.Errorf("due at %v, after its end", at)
	}
	if n := len(ended.Between(moment(t, "2026-11-01T00:00:00Z"), moment(t, "2026-12-01T00:00:00Z"), 100)); n != 23 {
		t.Errorf("%d occurrences, want 23", n)
	}
}

// What becomes of people adds up, and consent holds whatever the decision says.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 200)
	refused := "" // somebody who gets a mail by the oracle
	for i := 0; refused == ""; i++ {
		if v := w.crowd.views[identity.NewID(named(i))]; w.mailed(v) {
			refused = v.ID
		}
	}
	w.crowd.refused[refused] = true
	w.put(t, "spring", sound(func(c *Campaign) { c.Audience = Audience{Condition: json.RawMessage(`{"n": {"$lt": 100}}`)} }))
	w.begin(t, "spring")
	w.settle(t)
	w.settle(t) // nothing more happens
	runs, err := w.Occurrences(t.Context(), "spring", 0, 10)
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	want := map[outbound.Outcome]int{}
	for i := range 100 {
		v := w.crowd.views[identity.NewID(named(i))]
		_, fate := w.oracle.fate(request(v))
		switch {
		case fate == 0:
			want[outbound.OutcomeHoldout]++
		case fate == 1:
			want[outbound.OutcomeNobody]++
		case v.ID == refused:
			want[outbound.OutcomeNoConsent]++
		default:
			want[outbound.OutcomeQueued]++
		}
	}
	r := runs[0]
	for outcome, n := range want {
		if r.Counts[outcome] != n {
			t.Errorf("%d people are %s, want %d", r.Counts[outcome], outcome, n)
		}
	}
	if r.Status != "done" || r.Audience != 100 || want[outbound.OutcomeNoConsent] != 1 || math.Abs(r.Cost-0.02*float64(want[outbound.OutcomeQueued])) > 1e-9 {
		t.Errorf("the run is %+v", r)
	}
	if n := w.oracle.freed.Load(); n != 1 {
		t.Errorf("%d places were given back, want that of who refused", n)
	}
	if st, err := w.State(t.Context(), "spring"); err != nil || st.Status != Done {
		t.Errorf("the campaign is %+v, %v", st, err)
	}
	list, err := w.Recipients(t.Context(), "spring", r.ID, "no-consent", "", 10)
	if err != nil || len(list) != 1 || list[0].Person != refused || list[0].Reason != profiles.RuleNoConsent {
		t.Errorf("without consent: %+v, %v", list, err)
	}
}

// Two profiles that became one person after the audience was written down make one
// message.
func TestMerged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.put(t, "spring", sound())
	w.begin(t, "spring")
	if err := w.due(t.Context()); err != nil {
		t.Fatal(err)
	}
	open, err := w.open(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatal(open, err)
	}
	if _, err := w.advance(t.Context(), &open[0]); err != nil { // writes the audience down
		t.Fatal(err)
	}
	var mailed []identity.ID
	for id, v := range w.crowd.views {
		if w.mailed(v) {
			mailed = append(mailed, id)
		}
	}
	w.crowd.merged[mailed[0]] = mailed[1]
	w.settle(t)
	if n := w.count(t, `SELECT count(*) FROM campaign_recipients WHERE outcome = 'duplicate'`); n != 1 {
		t.Errorf("%d duplicates, want 1", n)
	}
	if n := w.oracle.freed.Load(); n != 1 {
		t.Errorf("%d places were given back, want that of the second message", n)
	}
	if n := w.count(t, `SELECT count(*) FROM outbox_messages`); n != len(mailed)-1 {
		t.Errorf("%d messages, want %d", n, len(mailed)-1)
	}
}

// A pause holds, and what goes on is the same run; a stop withdraws messages.
func TestPauseAndStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 120)
	w.put(t, "spring", sound())
	w.begin(t, "spring")
	if err := w.due(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the audience and one page
		open, err := w.open(t.Context())
		if err != nil || len(open) != 1 {
			t.Fatal(open, err)
		}
		if _, err := w.advance(t.Context(), &open[0]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Pause(t.Context(), "spring", "test"); err != nil {
		t.Fatal(err)
	}
	w.settle(t)
	decided := `SELECT count(*) FROM campaign_recipients WHERE outcome <> 'waiting'`
	if n := w.count(t, decided); n != 50 {
		t.Errorf("%d people decided about, want one page of 50", n)
	}
	w.begin(t, "spring")
	open, err := w.open(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatal(open, err)
	}
	if _, err := w.advance(t.Context(), &open[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Stop(t.Context(), "spring", "test"); err != nil {
		t.Fatal(err)
	}
	w.settle(t)
	if n, m := w.count(t, decided), w.count(t, `SELECT count(*) FROM outbox_messages`); n != 100 || m != 0 {
		t.Errorf("%d people decided about and %d messages left after a stop, want 100 and 0", n, m)
	}
}

// A page that was decided before a stop is not kept when it would be stored after it.
func TestStopMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.put(t, "spring", sound())
	w.begin(t, "spring")
	if err := w.due(t.Context()); err != nil {
		t.Fatal(err)
	}
	open, err := w.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.advance(t.Context(), &open[0]); err != nil {
		t.Fatal(err)
	}
	open[0].Status = "running" // as it was read before the stop
	if _, err := w.Stop(t.Context(), "spring", "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.advance(t.Context(), &open[0]); err != nil {
		t.Fatal(err)
	}
	if n := w.count(t, `SELECT count(*) FROM outbox_messages`); n != 0 {
		t.Errorf("%d messages after a stop", n)
	}
}

// A decision that cannot be recorded sends nothing, is tried again, and is given up
// with a reason.
func TestFallbacksAreNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	now := time.Now()
	w.clock.Store(&now)
	w.oracle.broken.Store(true)
	w.put(t, "spring", sound())
	w.begin(t, "spring")
	w.settle(t)
	if n := w.count(t, `SELECT count(*) FROM outbox_messages`); n != 0 {
		t.Fatalf("%d messages without a recorded decision", n)
	}
	for range maxAttempts {
		later := w.time().Add(time.Hour)
		w.clock.Store(&later)
		w.settle(t)
	}
	if n := w.count(t, `SELECT count(*) FROM campaign_recipients WHERE outcome = 'failed'`); n != 10 {
		t.Errorf("%d people failed, want 10", n)
	}
}

// Occurrences that were missed while nothing ran are made up for once.
func TestRecurring(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	at := moment(t, "2026-11-23T08:00:00Z")
	w.clock.Store(&at)
	w.put(t, "daily", sound(func(c *Campaign) { c.Schedule = Schedule{Kind: Daily, Time: "09:00"} }))
	w.begin(t, "daily")
	w.settle(t)
	if n := w.count(t, `SELECT count(*) FROM campaign_runs`); n != 0 {
		t.Fatalf("%d runs before it was due", n)
	}
	for _, text := range []string{"2026-11-23T09:00:00Z", "2026-11-23T15:00:00Z", "2026-11-27T15:00:00Z", "2026-11-27T15:00:01Z"} {
		at := moment(t, text)
		w.clock.Store(&at)
		w.settle(t)
	}
	if n := w.count(t, `SELECT count(*) FROM campaign_runs WHERE status = 'done'`); n != 2 {
		t.Errorf("%d runs, want that of the 23rd and one for the days that were missed", n)
	}
}

// A dry run says what is to be expected and leaves nothing behind.
func TestDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1000)
	w.put(t, "spring", sound(func(c *Campaign) { c.Audience = Audience{Segment: "even"} }))
	out, err := w.DryRun(t.Context(), "spring", 5000, 0.2)
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for i := 0; i < 1000; i += 2 {
		if _, fate := w.oracle.fate(request(w.crowd.views[identity.NewID(named(i))])); fate == 0 {
			held++
		}
	}
	got := map[string]float64{}
	for _, s := range out.Outcomes {
		got[s.Name] = s.People
	}
	free := float64(500 - held)
	if out.Audience != 500 || got["holdout"] != float64(held) || math.Abs(got["queued"]-0.75*free) > 1e-6 || math.Abs(out.Cost-0.02*0.75*free) > 1e-6 {
		t.Errorf("expected %+v of %d, with %d held out", got, out.Audience, held)
	}
	if math.Abs(out.Value-2*0.75*free) > 1e-6 || math.Abs(out.Valued-0.75*free) > 1e-6 {
		t.Errorf("value %f of %f contacts", out.Value, out.Valued)
	}
	// The z test that a textbook has: both groups at 20 %, 80 % power at 5 %. The plan's
	// treated arm varies more, as its share is larger.
	se := math.Sqrt(0.2 * 0.8 * (1/free + 1/float64(held)))
	if want := (1.959964 + 0.841621) * se / 0.2; out.Power == nil || out.Power.Effect < 0.95*want || out.Power.Effect > 1.3*want {
		t.Errorf("power %+v, want about %f", out.Power, want)
	}
	if n := w.oracle.asked.Load(); n != 0 {
		t.Errorf("%d decisions were made", n)
	}
	if n := w.count(t, `SELECT (SELECT count(*) FROM campaign_runs) + (SELECT count(*) FROM outbox_messages)`); n != 0 {
		t.Errorf("%d rows left", n)
	}
}

// A decision point is tried on an audience without a campaign.
func TestPointDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1000)
	out, err := w.TryPoint(t.Context(), "news", PointTrial{Audience: Audience{Segment: "even"}, Sample: 250, Baseline: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, s := range out.Outcomes {
		got[s.Name] = s.People
	}
	if out.Audience != 500 || out.Sample != 250 || math.Abs(got["queued"]+got["nobody"]+got["holdout"]-500) > 1e-6 || math.Abs(out.Value-2*got["queued"]) > 1e-6 {
		t.Errorf("%+v", out)
	}
	// The oracle has those with an even profile id in the control of an experiment.
	if len(out.Experiments) != 1 || len(out.Experiments[0].Arms) != 2 || !out.Experiments[0].Arms[0].Control || out.Experiments[0].Power == nil {
		t.Fatalf("experiments %+v", out.Experiments)
	}
	arms := out.Experiments[0].Arms
	if people := arms[0].People + arms[1].People; math.Abs(people-500+got["holdout"]) > 1e-6 || out.Experiments[0].Power.Held != arms[0].People {
		t.Errorf("%f people in arms %+v", people, arms)
	}
	for name, bad := range map[string]struct {
		key   string
		trial PointTrial
	}{
		"decision point": {"nothing", PointTrial{Audience: Audience{Everybody: true}}},
		"audience":       {"news", PointTrial{}},
		"segment":        {"news", PointTrial{Audience: Audience{Segment: "odd"}}},
		"sample":         {"news", PointTrial{Audience: Audience{Everybody: true}, Sample: 5001}},
		"baseline":       {"news", PointTrial{Audience: Audience{Everybody: true}, Baseline: 1}},
		"context.a":      {"news", PointTrial{Audience: Audience{Everybody: true}, Context: map[string]any{"a": []any{1}}}},
	} {
		if _, err := w.TryPoint(t.Context(), bad.key, bad.trial); err == nil || !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := w.oracle.asked.Load(); n != 0 {
		t.Errorf("%d decisions were made", n)
	}
}

// Somebody who was erased is in no table.
func TestErase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.put(t, "spring", sound())
	w.begin(t, "spring")
	w.settle(t)
	var person string
	if err := w.pool.QueryRow(t.Context(), `SELECT person FROM outbox_messages LIMIT 1`).Scan(&person); err != nil {
		t.Fatal(err)
	}
	sub := &profiles.ErasureSubject{Profiles: []profiles.ErasedProfile{{Text: person}}}
	for _, part := range []profiles.ErasurePart{w.Service, w.outbox} {
		if _, err := part.Erase(context.Background(), sub); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{"campaign_recipients", "outbox_messages"} {
		if n := w.count(t, `SELECT count(*) FROM `+table+` t WHERE t::text LIKE '%'||$1||'%'`, person); n != 0 {
			t.Errorf("%d rows of %s name the person", n, table)
		}
	}
}

func TestStartOfWhatBroke(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	if _, err := w.Start(t.Context(), "none", "test"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("starting what is not there: %v", err)
	}
	w.put(t, "spring", sound())
	if _, err := w.Pause(t.Context(), "spring", "test"); err == nil {
		t.Error("a draft was paused")
	}
	w.refs.HasPurpose = func(string) bool { return false }
	if _, err := w.Start(t.Context(), "spring", "test"); err == nil {
		t.Error("a campaign was started whose purpose is gone")
	}
}
