package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"quintet/decide/outbound"
)

// Environment of a child process: the database, how many people there are, and for how
// long everything has gone on when it works.
const (
	childURL    = "QUINTET_TEST_SCENARIO_POSTGRES"
	childPeople = "QUINTET_TEST_SCENARIO_PEOPLE"
	childSince  = "QUINTET_TEST_SCENARIO_SINCE"
)

// queue is a delivery in Postgres that takes each key once.
type queue struct{ pool *pgxpool.Pool }

func (q queue) Enqueue(ctx context.Context, messages []outbound.Message) error {
	for _, m := range messages {
		if m.Key == "" || m.DecisionID == "" {
			return errors.New("a message without key or decision")
		}
		if _, err := q.pool.Exec(ctx, `INSERT INTO delivered (key, person) VALUES ($1, $2) ON CONFLICT DO NOTHING`, m.Key, m.Person); err != nil {
			return err
		}
	}
	return nil
}

// filled is a world in whose log everybody has added something, and every third has
// ordered: each process reads the same.
func filled(pool *pgxpool.Pool, people int, since time.Duration) *world {
	w := emptyWorld(pool, people)
	w.queue = queue{pool}
	for i := range people {
		w.happens(i, "Product Added")
	}
	for i := 0; i < people; i += 3 {
		w.happens(i, "Order Completed")
	}
	w.at = w.at.Add(since)
	return w
}

// child leads people through a scenario until it is killed.
func child(url string) int {
	people, err := strconv.Atoi(os.Getenv(childPeople))
	if err != nil {
		return 2
	}
	since, err := time.ParseDuration(os.Getenv(childSince))
	if err != nil {
		return 2
	}
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	w := filled(pool, people, since)
	w.by = fmt.Sprint(os.Getpid(), "-")
	if w.Service, err = w.open(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Fprintln(os.Stderr, w.work(ctx))
	return 1
}

// work runs the service and hands its messages over until ctx ends.
func (w *world) work(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.Run(ctx) })
	group.Go(func() error { return w.outbox.Run(ctx) })
	return group.Wait()
}

// Processes are killed again and again while people come into a scenario, at its first
// message and at its second; in the end everybody has had each message exactly once, and
// who ordered none. QUINTET_TEST_FULL=1 takes 50,000 people.
func TestKilled(t *testing.T) {
	t.Parallel()
	people, kills := 1500, 2
	if testing.Short() {
		people, kills = 500, 1
	}
	if os.Getenv("QUINTET_TEST_FULL") != "" {
		people, kills = 50_000, 4
	}
	first := newWorld(t, people)
	first.run("cart", cart())
	if _, err := first.pool.Exec(t.Context(), `CREATE TABLE delivered (key text PRIMARY KEY, person text NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	buyers := (people + 2) / 3
	others := people - buyers
	for _, phase := range []struct {
		name  string
		since time.Duration
		done  string // how much of it is done
		of    int
	}{
		// Here a kill comes before the commit, while runs are being stored.
		{"coming in", 0, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'INSERT INTO scenario_runs%'`, 0},
		{"the first message", 2 * time.Hour, `SELECT count(*) FROM outbox_messages WHERE step = 'first'`, others},
		{"the second message", 8 * time.Hour, `SELECT count(*) FROM outbox_messages WHERE step = 'second'`, others},
	} {
		killed := false
		for i := range kills {
			c := exec.CommandContext(t.Context(), os.Args[0])
			c.Env = append(os.Environ(), childURL+"="+first.pool.Config().ConnString(), childPeople+"="+strconv.Itoa(people), childSince+"="+phase.since.String())
			c.Stderr = os.Stderr
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			for until := time.Now().Add(time.Minute); first.count(phase.done) < max(1, phase.of*(i+1)/(kills+2)); time.Sleep(time.Millisecond) {
				if time.Now().After(until) {
					t.Fatalf("%s: the child does nothing", phase.name)
				}
			}
			time.Sleep(time.Duration(i) * 3 * time.Millisecond) // into a page
			if err := c.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			_ = c.Wait() // it was killed
			killed = killed || first.count(phase.done) < phase.of
		}
		if phase.of > 0 && !killed {
			t.Errorf("%s: everything was done at each kill, which tests nothing", phase.name)
		}
		// Two that are not killed end it side by side.
		group, ctx := errgroup.WithContext(t.Context())
		for i := range 2 {
			w := filled(first.pool, people, phase.since)
			w.t, w.by = t, fmt.Sprint(phase.name, i, "-")
			w.Service = w.again()
			group.Go(func() error { return w.end(ctx) })
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	// A last one hands over what the killed had stored.
	last := filled(first.pool, people, 9*time.Hour)
	last.t = t
	last.Service = last.again()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- last.work(ctx) }()
	for until := time.Now().Add(time.Minute); first.count(`SELECT count(*) FROM outbox_messages WHERE handed_at IS NULL`) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("messages are not handed over")
		}
	}
	cancel()
	<-ended

	for what, check := range map[string]struct {
		query string
		want  int
	}{
		"runs":                          {`SELECT count(*) FROM scenario_runs`, people},
		"runs that an order ended":      {`SELECT count(*) FROM scenario_runs WHERE status = 'exited'`, buyers},
		"runs that went to the end":     {`SELECT count(*) FROM scenario_runs WHERE status = 'done'`, others},
		"messages delivered":            {`SELECT count(*) FROM delivered`, 2 * others},
		"messages stored":               {`SELECT count(*) FROM outbox_messages`, 2 * others},
		"people with each message once": {`SELECT count(*) FROM (SELECT person FROM outbox_messages GROUP BY person HAVING count(*) = 2 AND count(DISTINCT step) = 2) p`, others},
		"messages by a decision noted":  {`SELECT count(*) FROM outbox_messages m JOIN scenario_steps s ON s.decision_id = m.body->>'decisionId' AND s.node = m.step`, 2 * others},
		"decisions noted":               {`SELECT count(DISTINCT decision_id) FROM scenario_steps WHERE decision_id <> ''`, 2 * others},
	} {
		if n := first.count(check.query); n != check.want {
			t.Errorf("%s: %d, want %d", what, n, check.want)
		}
	}
}

// end does all that is due.
func (w *world) end(ctx context.Context) error {
	if _, err := w.listenPages(ctx); err != nil {
		return err
	}
	for {
		n, err := w.movePage(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
}
