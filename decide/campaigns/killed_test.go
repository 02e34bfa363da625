package campaigns

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

// Environment of a child process: the database, and how many people there are.
const (
	childURL    = "QUINTET_TEST_CAMPAIGN_POSTGRES"
	childPeople = "QUINTET_TEST_CAMPAIGN_PEOPLE"
)

// child works on campaigns until it is killed.
func child(url string) int {
	people, err := strconv.Atoi(os.Getenv(childPeople))
	if err != nil {
		return 2
	}
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	w, err := open(ctx, pool, people)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.Run(ctx) })
	group.Go(func() error { return w.outbox.Run(ctx) })
	fmt.Fprintln(os.Stderr, group.Wait())
	return 1
}

// A worker is killed again and again in the middle of a campaign, at other places each
// time, and in the end everybody has what the decisions say exactly once.
// QUINTET_TEST_FULL=1 takes 50,000 people.
func TestKilled(t *testing.T) {
	t.Parallel()
	people, kills := 2000, 4
	if testing.Short() {
		people, kills = 500, 2
	}
	if os.Getenv("QUINTET_TEST_FULL") != "" {
		people, kills = 50_000, 8
	}
	w := newWorld(t, people)
	w.put(t, "spring", sound())
	w.begin(t, "spring")
	decided := func() int { return w.count(t, `SELECT count(*) FROM campaign_recipients WHERE outcome <> 'waiting'`) }
	for i := range kills {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), childURL+"="+w.pool.Config().ConnString(), childPeople+"="+strconv.Itoa(people))
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// It is killed when about a share of the people was decided about.
		for until := time.Now().Add(time.Minute); decided() < people*(i+1)/(kills+2); time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal("the child does nothing")
			}
		}
		time.Sleep(time.Duration(i) * 3 * time.Millisecond) // into a page
		if err := c.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
	}
	if n := decided(); n == 0 || n == people {
		t.Fatalf("killed after %d of %d people, which tests nothing", n, people)
	}
	// Two that were not killed end it side by side, as two processes would.
	other, err := open(t.Context(), w.pool, people)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range []func(context.Context) error{w.Run, other.Run, w.outbox.Run, other.outbox.Run} {
		group.Go(func() error { return run(ctx) })
	}
	for until := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		open := w.count(t, `SELECT (SELECT count(*) FROM campaign_runs WHERE finished_at IS NULL) + (SELECT count(*) FROM outbox_messages WHERE handed_at IS NULL)`)
		if open == 0 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the campaign does not end")
		}
	}
	cancel()
	_ = group.Wait() // canceled

	want := 0
	for _, v := range w.crowd.views {
		resp, err := w.oracle.Decide(t.Context(), request(v), "")
		if err != nil {
			t.Fatal(err)
		}
		if resp.Where != nil && resp.Who.Eligible {
			want++
		}
	}
	for what, query := range map[string]string{
		"people with a message":    `SELECT count(DISTINCT person) FROM delivered`,
		"messages":                 `SELECT count(*) FROM delivered`,
		"recipients with one":      `SELECT count(*) FROM campaign_recipients WHERE outcome = 'queued'`,
		"the counter of the run":   `SELECT (counts->>'queued')::int FROM campaign_runs`,
		"messages of the outbox":   `SELECT count(*) FROM outbox_messages`,
		"joined by their decision": `SELECT count(*) FROM outbox_messages m JOIN campaign_recipients r ON r.decision_id = m.body->>'decisionId' AND r.person = m.person`,
	} {
		if n := w.count(t, query); n != want {
			t.Errorf("%s: %d, want %d", what, n, want)
		}
	}
	if n := w.count(t, `SELECT sum(value::int) FROM campaign_runs, jsonb_each_text(counts)`); n != people {
		t.Errorf("the counters have %d people, want %d", n, people)
	}
}
