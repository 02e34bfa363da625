package attributes

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/cespare/xxhash/v2"

	"quintet/profiles"
	"quintet/profiles/identity"
	"quintet/profiles/lifecycle"
)

// pageSize is how many people are read and applied at a time.
const pageSize = 20_000

// Names of the events that are written about moves.
const (
	LifecycleChanged = "Lifecycle Changed"
	StageChanged     = "Stage Changed"
)

// row is what a run found out about one person.
type row struct {
	person     string
	facts      lifecycle.Facts
	times      [4]int64 // first seen, last seen, first order, last order
	class      lifecycle.Class
	rfm        string
	attributes []string // JSON objects
}

// apply puts what the run found into the stream, the history and memory, page by
// page.
func (r *run) apply(ctx context.Context) error {
	after := ""
	for {
		page, err := r.page(ctx, after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		after = page[len(page)-1].person
		r.result.People += len(page)
		if err := r.applyPage(ctx, page); err != nil {
			return err
		}
	}
}

func (r *run) page(ctx context.Context, after string) ([]row, error) {
	var last string
	err := r.db.Read.QueryRow(heavy(ctx), fmt.Sprintf("SELECT max(person_id) FROM (SELECT person_id FROM person_facts WHERE run = %d AND person_id > ? ORDER BY person_id LIMIT %d)", r.id, pageSize), after).Scan(&last)
	if err != nil {
		return nil, fmt.Errorf("finding the next page of people: %w", err)
	}
	if last == "" {
		return nil, nil
	}
	between := fmt.Sprintf(" AND person_id > %s AND person_id <= %s", lifecycle.Literal(after), lifecycle.Literal(last))
	columns := ""
	for _, f := range lifecycle.FactNames() {
		columns += ", f." + string(f)
	}
	rows, err := r.db.Read.Query(heavy(ctx), fmt.Sprintf(`SELECT f.person_id%s, f.firstSeenAt, f.lastSeenAt, f.firstOrderAt, f.lastOrderAt, f.rfm, f.rfm_segment, f.stage, f.segment, f.losses, v.list
FROM (%s) AS f
LEFT JOIN (SELECT person_id, arraySort(groupArray(attributes)) AS list FROM person_values WHERE run = %d%s GROUP BY person_id) AS v ON f.person_id = v.person_id
ORDER BY f.person_id`, columns, classified(&r.table, &r.cuts, r.id, between), r.id, between))
	if err != nil {
		return nil, fmt.Errorf("reading a page of people: %w", err)
	}
	defer rows.Close()
	page := make([]row, 0, pageSize)
	for rows.Next() {
		page = append(page, row{})
		p := &page[len(page)-1]
		into := make([]any, 0, 40)
		into = append(into, &p.person)
		for i := range p.facts {
			into = append(into, &p.facts[i])
		}
		into = append(into, &p.times[0], &p.times[1], &p.times[2], &p.times[3], &p.rfm, &p.class.RFMSegment, &p.class.Stage, &p.class.Segment, &p.class.Losses, &p.attributes)
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("reading a person: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading a page of people: %w", err)
	}
	return page, nil
}

// passing are the facts that change with the mere passing of days.
var passing = map[lifecycle.Fact]bool{
	lifecycle.DaysSinceFirstSeen: true, lifecycle.DaysSinceLastSeen: true, lifecycle.DaysSinceFirstOrder: true, lifecycle.DaysSinceLastOrder: true,
	lifecycle.DaysSinceLastView: true, lifecycle.DaysSinceLastCart: true, lifecycle.DaysSinceLastCheckout: true,
}

// hashes are of what makes a row of history, and of everything.
func (p *row) hashes(buffer []byte) (history, all uint64, _ []byte) {
	b := buffer[:0]
	text := func(s string) { b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...) }
	text(p.class.Stage)
	text(p.class.Segment)
	text(p.class.RFMSegment)
	for _, list := range [][]string{p.class.Losses, p.attributes} {
		b = append(b, byte(len(list)))
		for _, s := range list {
			text(s)
		}
	}
	for _, t := range p.times {
		b = binary.LittleEndian.AppendUint64(b, uint64(t))
	}
	names := lifecycle.FactNames()
	for i, f := range p.facts {
		if !passing[names[i]] {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
		}
	}
	history = xxhash.Sum64(b)
	for i, f := range p.facts {
		if passing[names[i]] {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
		}
	}
	return history, xxhash.Sum64(b), b
}

// change is a person of a page whose attributes have changed.
type change struct {
	id         identity.ID
	row        *row
	attributes map[string]any
	encoded    string // attributes as JSON, when a row of history is due
	known      known
	remembered bool // a row of history is due
}

func (c *change) describe() error {
	var err error
	if c.attributes, err = c.row.describe(); err != nil {
		return fmt.Errorf("reading the attributes of %s: %w", c.row.person, err)
	}
	if c.remembered {
		encoded, err := json.Marshal(c.attributes)
		if err != nil {
			return fmt.Errorf("encoding the attributes of %s: %w", c.row.person, err)
		}
		c.encoded = string(encoded)
	}
	return nil
}

func (r *run) applyPage(ctx context.Context, page []row) error {
	var changes []change
	var notes []profiles.Note
	var buffer []byte
	at := r.at.UnixMilli()
	for i := range page {
		p := &page[i]
		id, ok := identity.ParseID(p.person)
		if !ok {
			continue // a row that this service did not write
		}
		var k known
		k.history, k.all, buffer = p.hashes(buffer)
		r.mu.Lock()
		before, seen := r.known[id]
		r.mu.Unlock()
		if seen && before.all == k.all && !r.counted[id] {
			continue
		}
		view, there := r.profiles.Store().GetPerson(id)
		if !there {
			continue // forgotten; what the log may still have of the person is not kept anew
		}
		c := change{id: id, row: p, known: k, remembered: !seen || before.history != k.history}
		if c.known.since = before.since; c.remembered {
			c.known.since = at
			r.result.Changed++
		}
		if seen && c.remembered {
			notes = r.moves(notes, &c, view, before.since)
		}
		changes = append(changes, c)
	}
	if err := parallel(len(changes), func(i int) error { return changes[i].describe() }); err != nil {
		return err
	}
	// Written under the time of the row that they lead away from, moves that are
	// written again after a crash count once.
	if err := r.profiles.WriteNotes(ctx, notes); err != nil {
		return err
	}
	r.result.Moves += len(notes)
	if err := r.remember(ctx, changes); err != nil {
		return err
	}
	for i := range changes {
		r.show(&changes[i])
	}
	return nil
}

// moves adds the moves of one person.
func (r *run) moves(notes []profiles.Note, c *change, view *profiles.View, since int64) []profiles.Note {
	for _, m := range []struct{ event, attribute, to string }{
		{LifecycleChanged, "lifecycleSegment", c.row.class.Segment}, {StageChanged, "stage", c.row.class.Stage},
	} {
		from, _ := view.Attributes[m.attribute].(string)
		if from == "" || from == m.to {
			continue
		}
		notes = append(notes, profiles.Note{
			Profile: c.id, Event: m.event, Time: r.at, MessageID: fmt.Sprintf("%s:%s:%d", m.attribute, c.row.person, since),
			Properties: map[string]any{"from": from, "to": m.to},
		})
	}
	return notes
}

// remember writes the rows of history that are due.
func (r *run) remember(ctx context.Context, changes []change) error {
	due := 0
	for i := range changes {
		if changes[i].remembered {
			due++
		}
	}
	if due == 0 {
		return nil
	}
	batch, err := r.db.Write.PrepareBatch(ctx, "INSERT INTO profile_attributes (person_id, computed_at, stage, segment, rfm, rfm_segment, losses, orders, spend, attributes, hash)")
	if err != nil {
		return fmt.Errorf("preparing an insert of attributes: %w", err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	for i := range changes {
		c := &changes[i]
		if !c.remembered {
			continue
		}
		losses := c.row.class.Losses
		if losses == nil {
			losses = []string{}
		}
		if err := batch.Append(c.row.person, r.at, c.row.class.Stage, c.row.class.Segment, c.row.rfm, c.row.class.RFMSegment, losses,
			c.row.facts.Get(lifecycle.Orders), c.row.facts.Get(lifecycle.Spend), c.encoded, c.known.history); err != nil {
			return fmt.Errorf("adding the attributes of %s: %w", c.row.person, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("inserting the attributes of %d people: %w", due, err)
	}
	return nil
}

// show puts a change into memory.
func (s *Service) show(c *change) {
	s.mu.Lock()
	stored := s.profiles.Store().SetAttributes(c.id, s.counters.over(c.id, s.shared.compact(c.attributes)))
	if stored {
		s.known[c.id] = c.known
	}
	s.mu.Unlock()
	if stored && s.watcher != nil {
		s.watcher(c.id)
	}
}

// describe makes the attributes that people see.
func (p *row) describe() (map[string]any, error) {
	m := make(map[string]any, 24)
	for _, encoded := range p.attributes {
		if err := json.Unmarshal([]byte(encoded), &m); err != nil {
			return nil, fmt.Errorf("%s: %w", encoded, err)
		}
	}
	m["stage"], m["lifecycleSegment"] = p.class.Stage, p.class.Segment
	if len(p.class.Losses) > 0 {
		list := make([]any, len(p.class.Losses))
		for i, l := range p.class.Losses {
			list[i] = l
		}
		m["losses"] = list
	}
	for _, f := range []lifecycle.Fact{lifecycle.Sessions, lifecycle.Views, lifecycle.Carts, lifecycle.Checkouts, lifecycle.Margin} {
		if v := p.facts.Get(f); v != 0 && v == v {
			m[string(f)] = v
		}
	}
	orders := p.facts.Get(lifecycle.Orders)
	m["orders"], m["spend"] = orders, p.facts.Get(lifecycle.Spend)
	for _, f := range []lifecycle.Fact{
		lifecycle.AverageOrder, lifecycle.DiscountShare, lifecycle.PeakShare, lifecycle.OrderGapDays, lifecycle.SpendQuantile, lifecycle.Recency,
		lifecycle.Frequency, lifecycle.Monetary, lifecycle.DaysSinceLastSeen, lifecycle.DaysSinceFirstOrder, lifecycle.DaysSinceLastOrder,
	} {
		if v := p.facts.Get(f); v == v {
			m[string(f)] = v
		}
	}
	if orders > 0 {
		m["rfm"], m["rfmSegment"] = p.rfm, p.class.RFMSegment
		m["firstOrderAt"], m["lastOrderAt"] = instant(p.times[2]), instant(p.times[3])
	}
	return m, nil
}

func instant(milliseconds int64) string {
	return time.UnixMilli(milliseconds).UTC().Format("2006-01-02T15:04:05.000Z")
}
