package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"quintet/internal/client"
	"quintet/internal/importing"
)

// mortal is a transport that dies at one request, as if the process was killed
// there: nothing gets through afterwards, and whoever waits is told to stop.
type mortal struct {
	at     func(*http.Request) bool
	behind bool // the server takes that request, its answer is lost
	kill   context.CancelFunc
	dead   atomic.Bool
}

func (m *mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.dead.Load() {
		return nil, errors.New("the process is dead")
	}
	if !m.at(r) {
		return http.DefaultTransport.RoundTrip(r)
	}
	if m.behind {
		if answer, err := http.DefaultTransport.RoundTrip(r); err == nil {
			_ = answer.Body.Close() // nobody reads it any more
		}
	}
	m.dead.Store(true)
	m.kill()
	return nil, errors.New("the process is dead")
}

// connect is a client for the house's server over another transport.
func (h *house) connect(transport http.RoundTripper) *client.Client {
	h.t.Helper()
	body, err := os.ReadFile(filepath.Join(h.dir, "server.json"))
	if err != nil {
		h.t.Fatal(err)
	}
	var running runningServer
	if err := json.Unmarshal(body, &running); err != nil {
		h.t.Fatal(err)
	}
	c, err := client.New(client.Options{BaseURL: running.Address, Key: running.Key, HTTP: &http.Client{Transport: transport}, Attempts: 2})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// jobs records what an import reports.
type jobs struct {
	started, done importing.Job
	skipped       bool
}

func (j *jobs) Start(job importing.Job)              { j.started = job }
func (j *jobs) Progress(importing.Job)               {}
func (j *jobs) Done(job importing.Job, skipped bool) { j.done, j.skipped = job, skipped }

// At whichever step an import is killed: run again it has brought in every row
// once, lists every bad row once, and its counts are exact.
func TestImportKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.serve()
	const rows, bad = 6500, 65
	cases := []struct {
		name, method string
		behind       bool
		begins       int64 // row behind which the second run begins
	}{
		{"before a batch arrives", http.MethodPost, false, 1980},
		{"before a batch is acknowledged", http.MethodPost, true, 1980},
		{"before the position is stored", http.MethodPatch, false, 1980},
		{"when the position is stored", http.MethodPatch, true, 2990},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			var content strings.Builder
			content.WriteString("id,n\n")
			for i := range rows {
				if i%100 == 7 {
					fmt.Fprintf(&content, "r-%d,much\n", i)
				} else {
					fmt.Fprintf(&content, "r-%d,%d\n", i, i)
				}
			}
			file := h.write("events.csv", content.String())
			mapping, err := importing.ParseMapping([]byte("userId: id\nevent: {const: "+tc.name+"}\nproperties: {n: {from: n, type: integer}}\n"), importing.Events)
			if err != nil {
				t.Fatal(err)
			}
			run := func(ctx context.Context, c *client.Client) (j jobs, err error) {
				err = importing.Run(ctx, c, importing.Options{Kind: importing.Events, Path: file, Mapping: mapping, Reporter: &j})
				return j, err
			}
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			var seen atomic.Int32
			first, err := run(ctx, h.connect(&mortal{behind: tc.behind, kill: kill, at: func(r *http.Request) bool {
				return r.Method == tc.method && r.URL.Path != "/v1/imports" && seen.Add(1) == 3
			}}))
			if err == nil || first.done.RowsDone != 0 {
				t.Fatalf("the import was not cut off: %v, %+v", err, first)
			}
			second, err := run(t.Context(), s.client)
			if err != nil {
				t.Fatal(err)
			}
			if got := second.started.RowsDone; got < tc.begins || got > tc.begins+50 {
				t.Errorf("goes on behind row %d, want about %d", got, tc.begins)
			}
			if d := second.done; d.RowsDone != rows || d.Accepted != rows-bad || d.Rejected != bad {
				t.Errorf("in the end %+v", d)
			}
			where := fmt.Sprintf("FROM events FINAL WHERE event = '%s'", tc.name)
			if n, sum := s.count("SELECT count() "+where), s.count("SELECT toUInt64(sum(numbers['n'])) "+where); n != rows-bad || sum != rows*(rows-1)/2-bad*(7+50*(bad-1)) {
				t.Errorf("%d events with the sum %d", n, sum)
			}
			checkRejects(t, file+".rejects.csv", bad)
			if third, err := run(t.Context(), s.client); err != nil || !third.skipped {
				t.Errorf("a complete import was not left alone: %v", err)
			}
		})
	}
}

// checkRejects wants rows 8, 108, 208, … of the file, each once and in order.
func checkRejects(t *testing.T, path string, want int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	records, err := csv.NewReader(file).ReadAll()
	if err != nil || len(records) != want+1 {
		t.Fatalf("%d rejects, want %d: %v", len(records)-1, want, err)
	}
	for i, r := range records[1:] {
		if r[1] != fmt.Sprint(i*100+8) || !strings.Contains(r[2], "properties.n must be a whole number") {
			t.Errorf("reject %d is %q", i, r)
		}
	}
}
