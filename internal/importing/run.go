package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"quintet/internal/client"
)

// Bounds of one call, below those of the API.
const (
	maxBatchRows  = 2000
	maxBatchBytes = 480 << 10
	maxItemRows   = 1000
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

func (o *Options) complete() error {
	if o.Format == "" {
		switch lower := strings.ToLower(o.Path); {
		case strings.HasSuffix(lower, ".csv"), strings.HasSuffix(lower, ".tsv"), strings.HasSuffix(lower, ".txt"):
			o.Format = CSV
		case strings.HasSuffix(lower, ".ndjson"), strings.HasSuffix(lower, ".jsonl"), strings.HasSuffix(lower, ".json"):
			o.Format = NDJSON
		default:
			return fmt.Errorf("the name of %s does not tell its format: say --format csv or ndjson", o.Path)
		}
	}
	if o.Format != CSV && o.Format != NDJSON {
		return fmt.Errorf("format %q is not one of csv, ndjson", o.Format)
	}
	if o.RejectsPath == "" {
		o.RejectsPath = o.Path + ".rejects.csv"
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
	survey, err := Look(o.Path, o.read())
	if err != nil {
		return err
	}
	if o.Format == CSV {
		if err := o.Mapping.CheckColumns(survey.Columns); err != nil {
			return err
		}
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
	r := &run{client: c, o: o, job: job, rejects: rejects{path: o.RejectsPath, again: job.RowsDone > 0}}
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
	client  *client.Client
	o       Options
	job     *Job
	rejects rejects
	rows    []*Row
	bodies  []json.RawMessage
	size    int
	seen    int64 // number of the last row that was read
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
			if r.seen = bad.Row.Number; r.seen > r.job.RowsDone {
				if err := r.reject(&bad.Row, bad.Reason); err != nil {
					return err
				}
			}
			continue
		case err != nil:
			return fmt.Errorf("reading %s behind row %d: %w", r.o.Path, r.seen, err)
		}
		if r.seen = row.Number; r.seen <= r.job.RowsDone {
			continue
		}
		if err := r.take(ctx, row); err != nil {
			return err
		}
	}
}

// take adds a row to the batch, which is sent before it grows too large.
func (r *run) take(ctx context.Context, row *Row) error {
	var value any
	var err error
	limit := maxBatchRows
	if r.o.Kind == Items {
		value, err = r.o.Mapping.itemOf(row)
		limit = maxItemRows
	} else {
		value, err = r.o.Mapping.messageOf(r.o.Kind, row)
	}
	if err != nil {
		return r.reject(row, err.Error())
	}
	body, err := json.Marshal(value)
	if err != nil {
		return r.reject(row, err.Error())
	}
	if len(r.rows) > 0 && (len(r.rows) == limit || r.size+len(body)+1 > maxBatchBytes) {
		// The row that is at hand belongs to the next batch.
		r.seen--
		if err := r.send(ctx); err != nil {
			return err
		}
		r.seen++
	}
	r.rows, r.bodies, r.size = append(r.rows, row), append(r.bodies, body), r.size+len(body)+1
	return nil
}

func (r *run) reject(row *Row, reason string) error {
	r.job.Rejected++
	return r.rejects.add(row, reason)
}

// send sends the batch and notes on the server that all rows so far are done.
func (r *run) send(ctx context.Context) error {
	if err := r.deliver(ctx, r.rows, r.bodies); err != nil {
		return err
	}
	clear(r.rows)
	clear(r.bodies)
	r.rows, r.bodies, r.size = r.rows[:0], r.bodies[:0], 0
	if err := r.rejects.flush(); err != nil {
		return err
	}
	r.job.RowsDone = max(r.job.RowsDone, r.seen)
	if err := r.job.save(ctx, r.client, jobRunning, ""); err != nil {
		return err
	}
	r.o.Reporter.Progress(*r.job)
	return nil
}

// deliver sends rows and rejects those that the server refuses. Where the server
// refuses a call as a whole, halves of it find the culprits.
func (r *run) deliver(ctx context.Context, rows []*Row, bodies []json.RawMessage) error {
	if len(rows) == 0 {
		return nil
	}
	path, member := "/v1/batch", "batch"
	if r.o.Kind == Items {
		path, member = "/v1/items", "items"
	}
	var result client.BatchResult
	err := r.client.Post(ctx, path, map[string][]json.RawMessage{member: bodies}, &result, client.Idempotent())
	status := client.StatusOf(err)
	switch {
	case err == nil:
		r.job.Accepted += int64(len(rows) - len(result.Rejected))
		for _, rejected := range result.Rejected {
			if rejected.Index < 0 || rejected.Index >= len(rows) {
				return fmt.Errorf("the server rejected message %d of %d", rejected.Index, len(rows))
			}
			if err := r.reject(rows[rejected.Index], reasons(rejected.Errors)); err != nil {
				return err
			}
		}
		return nil
	case status != http.StatusUnprocessableEntity && status != http.StatusRequestEntityTooLarge && status != http.StatusBadRequest:
		return fmt.Errorf("sending rows %d to %d: %w", rows[0].Number, rows[len(rows)-1].Number, err)
	case len(rows) > 1:
		half := len(rows) / 2
		if err := r.deliver(ctx, rows[:half], bodies[:half]); err != nil {
			return err
		}
		return r.deliver(ctx, rows[half:], bodies[half:])
	}
	reason := err.Error()
	var p *client.Problem
	if errors.As(err, &p) {
		if reason = p.Detail; len(p.Errors) > 0 {
			reason = reasons(p.Errors)
		}
	}
	return r.reject(rows[0], reason)
}

// reasons puts broken rules into one line, without the position in a batch that
// is gone.
func reasons(fields []client.ProblemField) string {
	texts := make([]string, len(fields))
	for i, f := range fields {
		location := strings.TrimPrefix(f.Location, "body.")
		if _, behind, found := strings.Cut(location, "]."); found && (strings.HasPrefix(location, "batch[") || strings.HasPrefix(location, "items[")) {
			location = behind
		}
		texts[i] = location + " " + f.Message
	}
	return strings.Join(texts, "; ")
}
