package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"quintet/experiments"
)

// plantedMessage is a message in the log, and what else the log says of its person.
type plantedMessage struct {
	profile  string
	at       string // of sending
	channel  string // email unless set
	offer    string // plain unless set
	class    string
	decided  string // as it was sent unless set
	decision string
	traits   map[string]any
	unasked  bool // nobody decided
	unlogged bool // not in the log
	unsent   bool // decided alone
	unstored bool // not in Postgres
	again    bool // sent twice
}

// auditBed writes into the stores what the product would not.
type auditBed struct {
	*resident
	n    int
	rows map[string][][]any // of ClickHouse, by the statement that inserts them
}

func (b *auditBed) insert(into string, row ...any) { b.rows[into] = append(b.rows[into], row) }

// write stores the rows, those of a table in one insert.
func (b *auditBed) write() {
	b.t.Helper()
	for into, rows := range b.rows {
		batch, err := b.app.engines.ClickHouse.Write.PrepareBatch(b.t.Context(), "INSERT INTO "+into)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, row := range rows {
			if err := batch.Append(row...); err != nil {
				b.t.Fatalf("%s: %v", into, err)
			}
		}
		if err := batch.Send(); err != nil {
			b.t.Fatalf("%s: %v", into, err)
		}
	}
}

func (b *auditBed) event(profile, name, at string, properties map[string]any, decision string) {
	b.t.Helper()
	b.n++
	text, err := json.Marshal(properties)
	if err != nil {
		b.t.Fatal(err)
	}
	kind, traits := "track", "{}"
	if name == "$identify" {
		kind, text, traits = "identify", []byte("{}"), string(text)
	}
	b.insert(`events (message_id, type, event, profile_id, timestamp, received_at, decision_id, properties, traits, sequence)`,
		fmt.Sprint("m", b.n), kind, name, profile, minuteOf(b.t, at), minuteOf(b.t, at), decision, string(text), traits, uint64(b.n))
}

func minuteOf(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// plant writes a message and the decision behind it.
func (b *auditBed) plant(p plantedMessage) {
	b.t.Helper()
	b.n++
	channel, offer, class, decided, decision := p.channel, p.offer, p.class, p.decided, p.decision
	for text, usual := range map[*string]string{&channel: "email", &offer: "plain", &class: "advertising", &decided: p.at, &decision: fmt.Sprintf("d%05d", b.n)} {
		if *text == "" {
			*text = usual
		}
	}
	if !p.unasked {
		b.insert(`decisions (decision_id, sequence, decided_at, received_at, send_at, decision_point, class, profile_id, eligible, action, offer, channel)`,
			decision, uint64(b.n), minuteOf(b.t, decided), minuteOf(b.t, decided), minuteOf(b.t, p.at), "letters", class, p.profile, true, offer+"/"+channel+"/default", offer, channel)
	}
	if p.unsent {
		return
	}
	if !p.unlogged {
		for range map[bool]int{false: 1, true: 2}[p.again] {
			b.event(p.profile, "Message Sent", p.at, map[string]any{"channel": channel, "decisionId": decision, "step": 0}, decision)
		}
	}
	if !p.unstored {
		for i := range map[bool]int{false: 1, true: 2}[p.again] {
			id := fmt.Sprintf("delivery-%05d-%d", b.n, i)
			for _, query := range []string{
				`INSERT INTO deliveries (id, key, person, profile_id, decision_id, channel, body, state, created_at, updated_at) VALUES ($1, $1, $2, $2, $3, $4, '{}', 'sent', $5, $5)`,
				`INSERT INTO delivery_steps (delivery, step, channel, state, due_at, sent_at) SELECT id, 0, channel, 'sent', $5, $5 FROM deliveries WHERE id = $1 AND person = $2 AND decision_id = $3 AND channel = $4`,
			} {
				if _, err := b.app.engines.Postgres.Exec(b.t.Context(), query, id, p.profile, decision, channel, minuteOf(b.t, p.at)); err != nil {
					b.t.Fatal(err)
				}
			}
		}
	}
}

// Each rule is broken once and kept closely elsewhere: the audit finds what was planted,
// and nothing else.
func TestAuditFindsWhatWasPlanted(t *testing.T) {
	t.Parallel()
	b := &auditBed{resident: openResident(t, residentConfig(t)), rows: map[string][][]any{}}
	do := func(path string, body map[string]any) {
		t.Helper()
		if err := b.client.Do(t.Context(), http.MethodPut, "/v1/"+path, body, nil); err != nil {
			t.Fatal(err)
		}
	}
	from, until := "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"
	do("holdouts/universal", map[string]any{"share": 0.3, "comparison": false})
	do("purposes/news", map[string]any{})
	do("channels/email", map[string]any{"active": true, "requires": "email", "purpose": "news", "requiresConsent": true, "contactCost": 0.5})
	do("channels/push", map[string]any{"active": true, "requires": "pushToken", "purpose": "news", "contactCost": 0.1})
	do("code-pools/pool", map[string]any{"endsAt": "2026-10-20T00:00:00Z"})
	for key, more := range map[string]map[string]any{"plain": {}, "tagged": {"tags": []string{"sale"}}, "dear": {"cost": 1.5}, "few": {}, "timed": {}, "coded": {"codes": "pool"}} {
		body := map[string]any{"active": true}
		maps.Copy(body, more)
		do("offers/"+key, body)
	}
	do("caps/two-in-two-days", map[string]any{"limit": 2, "hours": 48})
	do("caps/one-mail-a-day", map[string]any{"limit": 1, "calendar": "day", "channels": []string{"email"}})
	do("caps/three-a-week", map[string]any{"limit": 3, "calendar": "week"})
	do("caps/one-sale", map[string]any{"limit": 1, "hours": 240, "tags": []string{"sale"}})
	do("quiet-hours/night", map[string]any{"from": "21:00", "to": "08:00", "channels": []string{"email"}, "timeZone": "Asia/Tokyo"})
	do("quiet-hours/sunday", map[string]any{"from": "12:00", "to": "15:00", "days": []string{"sunday"}, "channels": []string{"push"}, "countries": []string{"FR"}})
	do("quiet-hours/saturday-night", map[string]any{"from": "22:00", "to": "04:00", "days": []string{"saturday"}, "channels": []string{"push"}})
	do("budgets/money", map[string]any{"unit": "money", "limit": 4, "startsAt": from, "endsAt": until, "offers": []string{"dear"}})
	do("budgets/few", map[string]any{"unit": "contacts", "limit": 2, "startsAt": from, "endsAt": until, "offers": []string{"few"}})
	do("budgets/timed", map[string]any{"unit": "contacts", "limit": 100, "startsAt": "2026-10-10T00:00:00Z", "endsAt": "2026-10-12T00:00:00Z", "offers": []string{"timed"}})
	if err := b.client.Post(t.Context(), "/v1/suppressions", map[string]any{"items": []map[string]any{{"namespace": "email", "value": "gone@example.com", "reason": "manual"}}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.app.engines.Postgres.Exec(t.Context(), `UPDATE profile_suppressions SET created_at = '2026-10-15 12:00:00Z'`); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct{ decision, at string }{{"coded-in-time", "2026-10-19 12:00"}, {"coded-late", "2026-10-20 12:00"}} {
		if _, err := b.app.engines.Postgres.Exec(t.Context(), `INSERT INTO promo_codes (pool, code, decision_id, taken_at) VALUES ('pool', $1, $2, $3)`, fmt.Sprint("C", i), c.decision, minuteOf(t, c.at)); err != nil {
			t.Fatal(err)
		}
	}
	people, held := 0, ""
	salt := experiments.HoldoutExperiment(experiments.UniversalHoldout)
	// stranger is a new profile that is not held out, someone one with consent.
	stranger := func() string {
		for {
			people++
			id := fmt.Sprintf("%032x", people)
			if experiments.Bucket(salt, id) >= 0.3 {
				return id
			}
			held = id
		}
	}
	someone := func(traits map[string]any) string {
		id := stranger()
		all := map[string]any{"timezone": "Europe/Riga", "country": "LV", "email": fmt.Sprintf("p%d@example.com", people), "pushToken": "x"}
		maps.Copy(all, traits)
		b.event(id, "$identify", "2026-01-01 00:00", all, "")
		b.event(id, "Consent Given", "2026-01-01 00:00", map[string]any{"purpose": "news", "confirmed": true}, "")
		return id
	}
	var want []string
	// letters sends to somebody at moments, and expects violations of rules.
	letters := func(p plantedMessage, moments []string, rules ...string) {
		t.Helper()
		if p.profile == "" {
			p.profile = someone(p.traits)
		}
		for _, at := range moments {
			p.at = at
			b.plant(p)
		}
		for _, rule := range rules {
			want = append(want, rule+" "+p.profile)
		}
	}
	push := plantedMessage{channel: "push"}
	sale := plantedMessage{channel: "push", offer: "tagged"}

	letters(push, []string{"2026-10-05 10:00", "2026-10-06 10:00", "2026-10-07 10:00"})                        // the first has left the window as the third comes
	letters(push, []string{"2026-10-05 10:00", "2026-10-06 10:00", "2026-10-07 09:59"}, "cap:two-in-two-days") // a minute earlier
	letters(plantedMessage{}, []string{"2026-10-06 17:59", "2026-10-07 10:00"})
	letters(plantedMessage{}, []string{"2026-10-06 06:00", "2026-10-06 17:59"}, "cap:one-mail-a-day")
	letters(plantedMessage{traits: map[string]any{"timezone": "Asia/Tokyo"}}, []string{"2026-10-05 23:30", "2026-10-06 11:30"}, "cap:one-mail-a-day") // one day there
	letters(plantedMessage{traits: map[string]any{"timezone": "Asia/Tokyo"}}, []string{"2026-10-06 01:00", "2026-10-06 23:30"})                       // two there
	letters(push, []string{"2026-10-05 07:00", "2026-10-07 12:00", "2026-10-09 12:00", "2026-10-10 12:00"}, "cap:three-a-week")
	letters(push, []string{"2026-10-07 12:00", "2026-10-09 12:00", "2026-10-11 12:00", "2026-10-13 12:00"}) // two weeks
	letters(sale, []string{"2026-10-05 10:00", "2026-10-15 10:00"})
	letters(sale, []string{"2026-10-05 10:00", "2026-10-15 09:59"}, "cap:one-sale")
	letters(plantedMessage{class: "service"}, []string{"2026-10-05 10:00", "2026-10-05 10:01", "2026-10-05 23:00"}) // caps, hours and consent are not for service

	letters(plantedMessage{}, []string{"2026-10-24 05:00"})                                                            // 08:00 in summer time
	letters(plantedMessage{}, []string{"2026-10-25 05:00"}, "quiet-hours:night")                                       // 07:00: clocks went back
	letters(plantedMessage{}, []string{"2026-10-25 05:59"}, "quiet-hours:night")                                       //
	letters(plantedMessage{}, []string{"2026-10-25 06:00"})                                                            // 08:00
	letters(plantedMessage{}, []string{"2026-03-28 06:00"})                                                            // 08:00 in winter time
	letters(plantedMessage{}, []string{"2026-03-29 04:59"}, "quiet-hours:night")                                       // 07:59: clocks went forward
	letters(plantedMessage{}, []string{"2026-03-29 05:00"})                                                            // 08:00
	letters(plantedMessage{}, []string{"2026-10-06 18:00"}, "quiet-hours:night")                                       // 21:00
	letters(plantedMessage{traits: map[string]any{"timezone": ""}}, []string{"2026-10-06 06:00"})                      // 15:00 in Tokyo
	letters(plantedMessage{traits: map[string]any{"timezone": ""}}, []string{"2026-10-06 12:00"}, "quiet-hours:night") // 21:00
	french := plantedMessage{channel: "push", traits: map[string]any{"timezone": "Europe/Paris", "country": "fr"}}
	letters(french, []string{"2026-10-11 09:59"})                             // Sunday, 11:59
	letters(french, []string{"2026-10-11 10:00"}, "quiet-hours:sunday")       // 12:00
	letters(french, []string{"2026-10-12 10:00"})                             // Monday
	letters(push, []string{"2026-10-11 10:00"})                               // elsewhere
	letters(push, []string{"2026-10-10 21:30"}, "quiet-hours:saturday-night") // Sunday, 00:30
	letters(push, []string{"2026-10-11 21:30"})                               // Monday, 00:30

	letters(plantedMessage{profile: stranger()}, []string{"2026-10-06 06:00"}, "consent")
	for _, c := range []struct {
		event      string
		properties map[string]any
		broken     bool
	}{
		{"Consent Withdrawn", map[string]any{"purpose": "news"}, true}, {"Consent Withdrawn", map[string]any{"purpose": "other"}, false}, {"Unsubscribed", map[string]any{"channel": "email"}, true},
		{"Unsubscribed", map[string]any{"channel": "push"}, false}, {"Email Unsubscribed", map[string]any{}, true}, {"Consent Denied", map[string]any{}, true},
	} {
		id := someone(nil)
		b.event(id, c.event, "2026-10-06 07:00", c.properties, "")
		var rules []string
		if c.broken {
			rules = append(rules, "consent")
		}
		letters(plantedMessage{profile: id}, []string{"2026-10-05 07:00", "2026-10-07 08:00"}, rules...)
	}
	back := someone(nil)
	b.event(back, "Consent Withdrawn", "2026-10-06 07:00", map[string]any{"purpose": "news"}, "")
	b.event(back, "Consent Given", "2026-10-06 09:00", map[string]any{"purpose": "news"}, "")
	letters(plantedMessage{profile: back}, []string{"2026-10-07 08:00"})

	gone := plantedMessage{traits: map[string]any{"email": "Gone@example.com"}}
	letters(gone, []string{"2026-10-15 11:59"})
	letters(gone, []string{"2026-10-15 12:01"}, "suppression")
	gone.channel = "push"
	letters(gone, []string{"2026-10-15 12:01"})

	for range 3 { // 0.1 and 1.5 each, of 4
		letters(plantedMessage{channel: "push", offer: "dear"}, []string{"2026-10-06 10:00"})
	}
	letters(plantedMessage{channel: "push", offer: "few"}, []string{"2026-10-06 10:00", "2026-10-08 10:00"})
	letters(plantedMessage{channel: "push", offer: "timed", decided: "2026-10-11 23:59"}, []string{"2026-10-12 10:00"})
	letters(plantedMessage{channel: "push", offer: "timed", decided: "2026-10-09 23:59"}, []string{"2026-10-10 10:00"})
	want = append(want, "budget:money ", "budget:timed ")

	letters(plantedMessage{channel: "push", offer: "coded", decision: "coded-in-time"}, []string{"2026-10-19 12:00"})
	letters(plantedMessage{channel: "push", offer: "coded", decision: "coded-late"}, []string{"2026-10-20 12:00"}, "code")
	letters(plantedMessage{channel: "push", offer: "coded"}, []string{"2026-10-19 12:00"}, "code")

	b.event(held, "Consent Given", "2026-01-01 00:00", map[string]any{"purpose": "news"}, "")
	letters(plantedMessage{profile: held, channel: "push"}, []string{"2026-10-06 10:00"}, "holdout", "holdout") // decided, and sent
	letters(plantedMessage{channel: "push", again: true}, []string{"2026-10-06 10:00"}, "once")
	letters(plantedMessage{channel: "push", unasked: true}, []string{"2026-10-06 10:00"}, "once")
	letters(plantedMessage{channel: "push", unsent: true}, []string{"2026-10-06 10:00"})
	letters(plantedMessage{channel: "push", unlogged: true}, []string{"2026-10-06 10:00"})
	letters(plantedMessage{channel: "push", unstored: true}, []string{"2026-10-06 10:00"})
	want = append(want, "log ", "log ")

	b.write()
	found, checked, err := auditLog(t.Context(), b.app.engines)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range found {
		got = append(got, v.Rule+" "+v.Profile)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		for _, v := range want {
			if i := slices.Index(got, v); i >= 0 {
				got = slices.Delete(got, i, i+1)
				continue
			}
			t.Errorf("not found: %s", v)
		}
		for _, v := range found {
			if slices.Contains(got, v.Rule+" "+v.Profile) {
				t.Errorf("found although it was not planted: %+v", v)
			}
		}
	}
	if len(checked) != 10 {
		t.Errorf("the audit looked for %d kinds: %q", len(checked), checked)
	}
}
