package importing

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"quintet/internal/client"
)

// HillstromExperiment is the key of the experiment that the data set becomes,
// and the name of the kind of import.
const HillstromExperiment = "hillstrom"

const (
	hillstromPoint = "hillstrom-email"
	hillstromChunk = 1000 // rows of one step
	hillstromDays  = 14   // of outcomes after the e-mail
)

// hillstromSent is when the e-mails went out, as far as the log knows. The data
// set, published on 20 March 2008, names no day. A day of that year would soon be
// older than what may be logged, so it is another 20 March; fixed, as it is part
// of every id.
var hillstromSent = time.Date(2024, time.March, 20, 0, 0, 0, 0, time.UTC)

var hillstromColumns = []string{"recency", "history_segment", "history", "mens", "womens", "zip_code", "newbie", "channel", "segment", "visit", "conversion", "spend"}

// hillstromArm is one of the three randomised groups.
type hillstromArm struct{ variant, action string }

var hillstromArms = map[string]hillstromArm{
	"No E-Mail":     {"none", "none"},
	"Mens E-Mail":   {"mens", "mens-email/email/default"},
	"Womens E-Mail": {"womens", "womens-email/email/default"},
}

var (
	hillstromActions       = []string{"none", "mens-email/email/default", "womens-email/email/default"}
	hillstromProbabilities = []float64{1. / 3, 1. / 3, 1. / 3}
)

// hillstromRow is one customer.
type hillstromRow struct {
	number     int64
	traits     map[string]any
	arm        hillstromArm
	visit      bool
	conversion bool
	spend      float64
}

// Hillstrom imports the MineThatData e-mail challenge (Kevin Hillstrom, 2008):
// 64,000 customers, a third of whom got an e-mail with men's goods, a third one
// with women's, a third none. Every row becomes a profile with its traits, a
// decision with its propensity that exposes the person to the experiment
// "hillstrom", and the outcomes: "Visited", and "Order Completed" with the
// revenue. All ids depend on the number of the row alone.
func Hillstrom(ctx context.Context, c *client.Client, path string, force bool, report Reporter) error {
	options := ReadOptions{Format: CSV}
	survey, err := Look(path, options, nil)
	if err != nil {
		return err
	}
	for _, name := range hillstromColumns {
		if !slices.Contains(survey.Columns, name) {
			return fmt.Errorf("%s is not the Hillstrom data set: it has no column %q", path, name)
		}
	}
	// Everything is read before anything is sent: a broken file leaves no half of
	// itself in an experiment.
	rows, err := readHillstrom(path, options)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte("hillstrom 1"))
	job, err := startJob(ctx, c, HillstromExperiment, hex.EncodeToString(sum[:]), path, survey, force)
	if err != nil {
		return err
	}
	if job.Status == jobComplete {
		report.Done(*job, true)
		return nil
	}
	report.Start(*job)
	if err := sendHillstrom(ctx, c, rows, job, report); err != nil {
		return job.fail(ctx, c, err)
	}
	if err := job.save(ctx, c, jobComplete, ""); err != nil {
		return err
	}
	if err := settled(ctx, c); err != nil {
		return err
	}
	report.Done(*job, false)
	return nil
}

func readHillstrom(path string, o ReadOptions) ([]hillstromRow, error) {
	file, err := OpenFile(path, o)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	var rows []hillstromRow
	for {
		row, err := file.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err == nil {
			var parsed hillstromRow
			if parsed, err = parseHillstrom(row); err == nil {
				rows = append(rows, parsed)
				continue
			}
			err = fmt.Errorf("line %d: %w", row.Line, err)
		}
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
}

func parseHillstrom(row *Row) (hillstromRow, error) {
	h := hillstromRow{number: row.Number, traits: map[string]any{}}
	cell := func(name string) string { v, _ := row.Lookup(name); s, _ := v.(string); return s }
	var bad []error
	number := func(name string) float64 {
		v, err := strconv.ParseFloat(cell(name), 64)
		if err != nil || v < 0 || v > 1e6 {
			bad = append(bad, fmt.Errorf("%s must be a number, not %q", name, cell(name)))
		}
		return v
	}
	for _, name := range []string{"recency", "history", "mens", "womens", "newbie"} {
		h.traits[name] = number(name)
	}
	for _, name := range []string{"history_segment", "zip_code", "channel"} {
		h.traits[name] = cell(name)
	}
	var known bool
	if h.arm, known = hillstromArms[cell("segment")]; !known {
		bad = append(bad, fmt.Errorf("segment %q is none of the three groups", cell("segment")))
	}
	h.visit, h.conversion, h.spend = number("visit") == 1, number("conversion") == 1, number("spend")
	return h, joined(bad)
}

func sendHillstrom(ctx context.Context, c *client.Client, rows []hillstromRow, job *Job, report Reporter) error {
	if err := defineHillstrom(ctx, c); err != nil {
		return err
	}
	for job.RowsDone < int64(len(rows)) {
		chunk := rows[job.RowsDone:min(job.RowsDone+hillstromChunk, int64(len(rows)))]
		if err := sendHillstromChunk(ctx, c, chunk); err != nil {
			return fmt.Errorf("sending rows %d to %d: %w", chunk[0].number, chunk[len(chunk)-1].number, err)
		}
		job.RowsDone += int64(len(chunk))
		job.Accepted = job.RowsDone
		if err := job.save(ctx, c, jobRunning, ""); err != nil {
			return err
		}
		report.Progress(*job)
	}
	return nil
}

func sendHillstromChunk(ctx context.Context, c *client.Client, chunk []hillstromRow) error {
	people := make([]client.Message, len(chunk))
	decisions := make([]map[string]any, len(chunk))
	var outcomes []client.Message
	for i := range chunk {
		h := &chunk[i]
		people[i] = h.person()
		decisions[i] = h.decision()
		outcomes = append(outcomes, h.outcomes()...)
	}
	if err := sendAll(ctx, c, people); err != nil {
		return err
	}
	// The decision's record takes the traits from memory, so they have to be there.
	if err := awaitProfile(ctx, c, chunk[len(chunk)-1].user()); err != nil {
		return err
	}
	if err := c.Post(ctx, "/v1/decisions", map[string]any{"decisions": decisions}, nil, client.Idempotent()); err != nil {
		return fmt.Errorf("logging decisions: %w", err)
	}
	return sendAll(ctx, c, outcomes)
}

// sendAll sends messages of which none may be refused.
func sendAll(ctx context.Context, c *client.Client, messages []client.Message) error {
	for part := range slices.Chunk(messages, hillstromChunk) {
		result, err := c.Batch(ctx, part)
		if err != nil {
			return err
		}
		if len(result.Rejected) > 0 {
			r := result.Rejected[0]
			return fmt.Errorf("the server refused %d messages, the first, %s, because: %s", len(result.Rejected), r.MessageID, reasons(r.Errors))
		}
	}
	return nil
}

func awaitProfile(ctx context.Context, c *client.Client, user string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := c.Get(ctx, "/v1/profiles/userId:"+user, nil)
		if client.StatusOf(err) != http.StatusNotFound {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waiting for the profile of %s: %w", user, ctx.Err())
		}
	}
}

func (h *hillstromRow) user() string { return "hillstrom-" + strconv.FormatInt(h.number, 10) }

func (h *hillstromRow) messageID(what string) string { return h.user() + "-" + what }

// hash is a number that belongs to the row for ever.
func (h *hillstromRow) hash(what string) [32]byte {
	return sha256.Sum256([]byte("hillstrom " + what + " " + strconv.FormatInt(h.number, 10)))
}

func (h *hillstromRow) decisionID() string {
	sum := h.hash("decision")
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(hillstromSent)) // within the range of a ULID
	_ = id.SetEntropy(sum[:10])                   // as long as it has to be
	return id.String()
}

func (h *hillstromRow) person() client.Message {
	// What is known of the customer was known before the e-mail.
	known := hillstromSent.Add(-24 * time.Hour)
	return client.Message{Type: "identify", MessageID: h.messageID("profile"), UserID: h.user(), Timestamp: &known, Traits: h.traits}
}

func (h *hillstromRow) decision() map[string]any {
	group := "treated"
	if h.arm.variant == "none" {
		group = "control"
	}
	return map[string]any{
		"decisionId": h.decisionID(), "decision": hillstromPoint, "user": map[string]string{"userId": h.user()},
		"decidedAt": hillstromSent, "action": h.arm.action, "candidates": hillstromActions, "probabilities": hillstromProbabilities,
		"group": group, "experiments": []map[string]string{{"key": HillstromExperiment, "variant": h.arm.variant}}, "context": map[string]any{},
	}
}

// outcomes are the visit and the order. The data set says that they happened
// within two weeks; the moment is made from the row.
func (h *hillstromRow) outcomes() []client.Message {
	sum := h.hash("visit")
	seconds := binary.BigEndian.Uint64(sum[:8]) % ((hillstromDays - 1) * 24 * 3600)
	visited := hillstromSent.Add(time.Duration(1+seconds) * time.Second)
	ordered := visited.Add(20 * time.Minute)
	var out []client.Message
	if h.visit {
		out = append(out, client.Message{
			Type: "track", MessageID: h.messageID("visit"), UserID: h.user(), Event: "Visited", Timestamp: &visited,
			Properties: map[string]any{"decisionId": h.decisionID()},
		})
	}
	if h.conversion {
		out = append(out, client.Message{
			Type: "track", MessageID: h.messageID("order"), UserID: h.user(), Event: "Order Completed", Timestamp: &ordered,
			Properties: map[string]any{"decisionId": h.decisionID(), "revenue": h.spend},
		})
	}
	return out
}

// defineHillstrom creates what the decisions refer to, where it is missing, and
// leaves alone what is there.
func defineHillstrom(ctx context.Context, c *client.Client) error {
	for _, d := range hillstromDefinitions() {
		err := c.Get(ctx, d.path, nil)
		if client.StatusOf(err) == http.StatusNotFound {
			err = c.Put(ctx, d.path, d.body, nil)
		}
		if err != nil {
			return fmt.Errorf("creating %s where it is missing: %w", d.path, err)
		}
	}
	const path = "/v1/experiments/" + HillstromExperiment
	var experiment struct {
		Status string `json:"status"`
	}
	if err := c.Get(ctx, path, &experiment); err != nil {
		return fmt.Errorf("reading the experiment: %w", err)
	}
	if experiment.Status != "draft" {
		return nil
	}
	if err := c.Post(ctx, path+"/start", nil, nil); err != nil {
		return fmt.Errorf("starting the experiment: %w", err)
	}
	return nil
}

type hillstromDefinition struct {
	path string
	body map[string]any
}

func hillstromDefinitions() []hillstromDefinition {
	const hours = hillstromDays * 24
	numeric := func(name string, edges ...float64) map[string]any {
		return map[string]any{"name": name, "source": "profile", "kind": "numeric", "edges": edges}
	}
	category := func(name string, values ...string) map[string]any {
		return map[string]any{"name": name, "source": "profile", "kind": "categorical", "values": values}
	}
	return []hillstromDefinition{
		{"/v1/channels/email", map[string]any{"name": "E-mail", "kind": "email", "active": true}},
		{"/v1/offers/mens-email", map[string]any{"name": "Men's merchandise", "kind": "message", "active": true, "description": "E-mail with men's goods"}},
		{"/v1/offers/womens-email", map[string]any{"name": "Women's merchandise", "kind": "message", "active": true, "description": "E-mail with women's goods"}},
		{"/v1/decision-points/" + hillstromPoint, map[string]any{
			// Service, because these e-mails went out without regard to our holdout: as
			// advertising they would break its promise in the log.
			"name": "Hillstrom e-mail test", "class": "service", "offers": []string{"mens-email", "womens-email"}, "channels": []string{"email"},
			"creatives": []map[string]any{{"key": "default"}}, "policy": map[string]any{"type": "uniform"}, "defaultAction": "none",
			"features": []map[string]any{
				numeric("recency", 3, 6, 9), numeric("history", 100, 200, 350, 500, 750, 1000), numeric("mens", 0.5), numeric("womens", 0.5), numeric("newbie", 0.5),
				category("zip_code", "Rural", "Surburban", "Urban"), category("channel", "Phone", "Web", "Multichannel"),
			},
			"objective": map[string]any{"terms": []map[string]any{{"event": "Order Completed", "property": "revenue", "weight": 1}}, "windowHours": hours},
		}},
		{"/v1/metrics/hillstrom-visit", map[string]any{"name": "Visited within two weeks", "kind": "proportion", "event": "Visited", "windowHours": hours, "direction": "increase"}},
		{"/v1/metrics/hillstrom-conversion", map[string]any{"name": "Bought within two weeks", "kind": "proportion", "event": "Order Completed", "windowHours": hours, "direction": "increase"}},
		{"/v1/metrics/hillstrom-spend", map[string]any{"name": "Spend within two weeks", "kind": "mean", "event": "Order Completed", "property": "revenue", "windowHours": hours, "direction": "increase"}},
		{"/v1/experiments/" + HillstromExperiment, map[string]any{
			// Without a decision point: it is measured by its exposures and deals out
			// nothing to anybody today.
			"name":       "Hillstrom: does an e-mail pay?",
			"hypothesis": "An e-mail with merchandise brings more visits, buyers and spend than none.",
			"metrics":    []string{"hillstrom-visit", "hillstrom-conversion", "hillstrom-spend"},
			"variants": []map[string]any{
				{"key": "none", "name": "No e-mail", "weight": 1. / 3, "control": true},
				{"key": "mens", "name": "Men's e-mail", "weight": 1. / 3},
				{"key": "womens", "name": "Women's e-mail", "weight": 1. / 3},
			},
		}},
	}
}
