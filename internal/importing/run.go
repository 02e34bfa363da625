package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"quintet/internal/client"
)

// Bounds of one call, below those of the API.
const (
	maxBatchRows  = 1000
	maxBatchBytes = 480 << 10
	// maxHeld bounds the rows of a batch as they are in the file, in bytes: a
	// mapping may take little of a long row.
	maxHeld = 16 << 20
)

// Options of an import.
type Options struct {
	Kind        Kind
	Path        string
	Format      Format // by the file's name when empty
	Mapping     *Mapping
	RejectsPath string // Path with .rejects.csv behind it when empty
	// Force sends everything again, although the job is complete or has begun.
	Force    bool
	Reporter Reporter
}

// FormatOf is the format that the name of a file tells, "" for none.
func FormatOf(name string) Format {
	switch lower := strings.ToLower(name); {
	case strings.HasSuffix(lower, ".csv"), strings.HasSuffix(lower, ".tsv"), strings.HasSuffix(lower, ".txt"):
		return CSV
	case strings.HasSuffix(lower, ".ndjson"), strings.HasSuffix(lower, ".jsonl"), strings.HasSuffix(lower, ".json"):
		return NDJSON
	case strings.HasSuffix(lower, ".parquet"):
		return Parquet
	}
	return ""
}

func (o *Options) complete() error {
	if o.Format == "" {
		if o.Format = FormatOf(o.Path); o.Format == "" {
			return fmt.Errorf("the name of %s does not tell its format: say --format csv, ndjson or parquet", o.Path)
		}
	}
	if o.Format != CSV && o.Format != NDJSON && o.Format != Parquet {
		return fmt.Errorf("format %q is not one of csv, ndjson, parquet", o.Format)
	}
	if o.RejectsPath == "" {
		o.RejectsPath = o.Path + ".rejects.csv"
	}
	source, err := os.Stat(o.Path)
	if err != nil {
		return err
	}
	if target, err := os.Stat(o.RejectsPath); err == nil && os.SameFile(source, target) {
		return fmt.Errorf("%s would be overwritten by its own rejects", o.Path)
	}
	return nil
}

func (o *Options) read() ReadOptions {
	r := ReadOptions{Format: o.Format, Encoding: o.Mapping.Encoding}
	for _, c := range o.Mapping.Delimiter {
		r.Delimiter = c
	}
	if r.Delimiter == 0 && strings.HasSuffix(strings.ToLower(o.Path), ".tsv") {
		r.Delimiter = '\t'
	}
	return r
}

// Run imports a file. A file that is imported already is left alone, one that
// was begun goes on, unless o.Force is set.
func Run(ctx context.Context, c *client.Client, o Options) (err error) {
	if err := o.complete(); err != nil {
		return err
	}
	survey, err := Look(o.Path, o.read(), o.Mapping.paths())
	if err != nil {
		return err
	}
	if err := o.Mapping.CheckFile(survey); err != nil {
		return err
	}
	job, err := startJob(ctx, c, string(o.Kind), o.Mapping.Hash(), o.Path, survey, o.Force)
	if err != nil {
		return err
	}
	if job.Status == jobComplete {
		o.Reporter.Done(*job, true)
		return nil
	}
	o.Reporter.Start(*job)
	r := &run{client: c, o: o, fileHash: survey.Hash, job: job, rejects: rejects{path: o.RejectsPath, done: job.RowsDone}}
	defer func() { err = errors.Join(err, r.rejects.close()) }()
	if err := r.all(ctx); err != nil {
		return job.fail(ctx, c, err)
	}
	if err := job.save(ctx, c, jobComplete, ""); err != nil {
		return err
	}
	if err := settled(ctx, c); err != nil {
		return err
	}
	o.Reporter.Done(*job, false)
	return nil
}

// run is one import under way.
type run struct {
	client   *client.Client
	o        Options
	fileHash string
	job      *Job
	rejects  rejects
	rows     []*Row
	bodies   []json.RawMessage
	size     int   // bytes of bodies
	held     int   // bytes of rows, which a reject repeats
	accepted int64 // rows of the batch that are stored, not yet in job
	seen     int64 // number of the last row that was read
}

func (r *run) all(ctx context.Context) error {
	file, err := OpenFile(r.o.Path, r.o.read())
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	for {
		row, err := file.Next()
		var bad *BadRow
		switch {
		case errors.Is(err, io.EOF):
			return r.send(ctx)
		case errors.As(err, &bad):
			row = &bad.Row
		case err != nil:
			return fmt.Errorf("reading %s behind row %d: %w", r.o.Path, r.seen, err)
		}
		if row.Number <= r.job.RowsDone {
			r.seen = row.Number
			continue
		}
		body, reason := json.RawMessage(nil), ""
		if bad != nil {
			reason = bad.Reason
		} else if body, err = r.bodyOf(row); err != nil {
			reason = err.Error()
		}
		if r.full(row, body) {
			if err := r.send(ctx); err != nil {
				return err
			}
		}
		r.seen = row.Number
		if reason != "" {
			r.rejects.add(row, reason)
			continue
		}
		r.rows, r.bodies = append(r.rows, row), append(r.bodies, body)
		r.size, r.held = r.size+len(body)+1, r.held+len(row.raw)
	}
}

// bodyOf is what is sent for a row.
func (r *run) bodyOf(row *Row) (json.RawMessage, error) {
	var value any
	var err error
	if r.o.Kind == Items {
		value, err = r.o.Mapping.itemOf(row)
	} else {
		value, err = r.o.Mapping.messageOf(r.o.Kind, r.fileHash, row)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// full says whether the batch has to go before a row can be added to it.
func (r *run) full(row *Row, body json.RawMessage) bool {
	return len(r.rows) == maxBatchRows || len(r.rejects.waiting) >= maxBatchRows ||
		len(r.rows) > 0 && (r.size+len(body)+1 > maxBatchBytes || r.held+len(row.raw) > maxHeld)
}

// send sends the batch and notes on the server that all rows so far are done.
func (r *run) send(ctx context.Context) error {
	if r.seen <= r.job.RowsDone {
		return nil
	}
	r.accepted = 0
	if err := r.deliver(ctx, r.rows, r.bodies); err != nil {
		return err
	}
	clear(r.rows)
	clear(r.bodies)
	r.rows, r.bodies, r.size, r.held = r.rows[:0], r.bodies[:0], 0, 0
	rejected, err := r.rejects.write()
	if err != nil {
		return err
	}
	// A copy, so that a failure notes what the server knows and no more.
	next := *r.job
	next.RowsDone, next.Accepted, next.Rejected = r.seen, next.Accepted+r.accepted, next.Rejected+rejected
	if err := next.save(ctx, r.client, jobRunning, ""); err != nil {
		return err
	}
	*r.job = next
	r.o.Reporter.Progress(next)
	return nil
}

// deliver sends rows and rejects those that the server refuses.
func (r *run) deliver(ctx context.Context, rows []*Row, bodies []json.RawMessage) error {
	if len(rows) == 0 {
		return nil
	}
	var result client.BatchResult
	var err error
	if r.o.Kind == Items {
		err = r.client.Put(ctx, "/v1/items", map[string][]json.RawMessage{"items": bodies}, nil)
	} else {
		err = r.client.Post(ctx, "/v1/batch", map[string][]json.RawMessage{"batch": bodies}, &result, client.Idempotent())
	}
	if err != nil {
		return r.sort(ctx, rows, bodies, err)
	}
	r.accepted += int64(len(rows) - len(result.Rejected))
	for _, rejected := range result.Rejected {
		if rejected.Index < 0 || rejected.Index >= len(rows) {
			return fmt.Errorf("the server rejected message %d of %d", rejected.Index, len(rows))
		}
		row, reason := rows[rejected.Index], reasons(rejected.Errors)
		if erased(rejected.Errors) {
			r.rejects.addErased(row, reason)
			continue
		}
		r.rejects.add(row, reason)
	}
	return nil
}

// sort finds the rows for which the server refused a whole call: those that it
// names are sent one by one, the others together; where it names none, halves.
func (r *run) sort(ctx context.Context, rows []*Row, bodies []json.RawMessage, refusal error) error {
	switch client.StatusOf(refusal) {
	case http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusBadRequest:
	default:
		return fmt.Errorf("sending rows %d to %d: %w", rows[0].Number, rows[len(rows)-1].Number, refusal)
	}
	var p *client.Problem
	errors.As(refusal, &p) // StatusOf found one
	if len(rows) == 1 {
		reason := p.Detail
		if len(p.Errors) > 0 {
			reason = reasons(p.Errors)
		}
		r.rejects.add(rows[0], reason)
		return nil
	}
	named := namedRows(p.Errors, len(rows))
	if len(named) == 0 {
		half := len(rows) / 2
		if err := r.deliver(ctx, rows[:half], bodies[:half]); err != nil {
			return err
		}
		return r.deliver(ctx, rows[half:], bodies[half:])
	}
	var restRows []*Row
	var restBodies []json.RawMessage
	for i := range rows {
		if !named[i] {
			restRows, restBodies = append(restRows, rows[i]), append(restBodies, bodies[i])
		}
	}
	if err := r.deliver(ctx, restRows, restBodies); err != nil {
		return err
	}
	// One by one also in case a row was refused only because of another one, such
	// as an item that the call had twice: of such rows the last one counts.
	for i := range rows {
		if named[i] {
			if err := r.deliver(ctx, rows[i:i+1], bodies[i:i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

var placeInBatch = regexp.MustCompile(`^(?:body\.)?(?:batch|items)\[(\d+)\]\.?`)

// namedRows are the positions that the broken rules of a call name.
func namedRows(fields []client.ProblemField, n int) map[int]bool {
	named := map[int]bool{}
	for _, f := range fields {
		if place := placeInBatch.FindStringSubmatch(f.Location); place != nil {
			if i, err := strconv.Atoi(place[1]); err == nil && i < n {
				named[i] = true
			}
		}
	}
	return named
}

// erased says whether a row is refused because the person was erased.
func erased(fields []client.ProblemField) bool {
	return slices.ContainsFunc(fields, func(f client.ProblemField) bool { return strings.HasPrefix(f.Message, "erased:") })
}

// reasons puts broken rules into one line, without the position in a batch that
// is gone.
func reasons(fields []client.ProblemField) string {
	texts := make([]string, len(fields))
	for i, f := range fields {
		location := strings.TrimPrefix(placeInBatch.ReplaceAllString(f.Location, ""), "body.")
		texts[i] = strings.TrimSpace(location + " " + f.Message)
	}
	return strings.Join(texts, "; ")
}
