package experiments

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// clock is set by a test.
type clock struct{ at atomic.Int64 }

func (c *clock) set(t time.Time) { c.at.Store(t.UnixMilli()) }
func (c *clock) now() time.Time  { return time.UnixMilli(c.at.Load()).UTC() }

func watched(t *testing.T) (*Service, *clock, func()) {
	t.Helper()
	s, _ := open(t)
	c := &clock{}
	c.set(testEpoch)
	s.now = c.now
	return s, c, func() { (&watch{service: s, next: map[string]time.Time{}}).tick(t.Context()) }
}

func current(t *testing.T, s *Service, key string) state {
	t.Helper()
	v, ok := s.experiments.Get(key)
	if !ok {
		t.Fatalf("%s is gone", key)
	}
	return v
}

func TestScheduleAndRamp(t *testing.T) {
	t.Parallel()
	s, clock, tick := watched(t)
	at := func(hours float64) time.Time { return testEpoch.Add(time.Duration(hours * float64(time.Hour))) }
	e := halves()
	e.Coverage = .1
	e.StartAt, e.EndAt = pointer(at(1)), pointer(at(100))
	e.Ramp = &Ramp{Steps: []RampStep{{AfterHours: 10, Coverage: .5}, {AfterHours: 20, Coverage: .8}, {AfterHours: 50, Coverage: 1}}}
	put(t, s.experiments, "hero", e)
	put(t, s.experiments, "idle", e) // nobody has told it to start
	v, err := s.Start(t.Context(), "hero", "user:a")
	if err != nil || v.Value.Status != Draft || v.Value.ScheduledBy != "user:a" {
		t.Fatalf("%+v, %v", v.Value, err)
	}
	for _, step := range []struct {
		hours    float64
		status   Status
		coverage float64
		version  int64
	}{
		{.9, Draft, .1, 2}, {1, Running, .1, 3}, {1, Running, .1, 3}, {10.9, Running, .1, 3}, {11, Running, .5, 4}, {11, Running, .5, 4},
		// After an outage over two steps the ramp is where it should be.
		{60, Running, 1, 5}, {99.9, Running, 1, 5}, {100, Stopped, 1, 6}, {100, Stopped, 1, 6},
	} {
		clock.set(at(step.hours))
		tick() // each with a watcher that remembers nothing
		v := current(t, s, "hero")
		if v.Value.Status != step.status || v.Value.Coverage != step.coverage || v.Version != step.version {
			t.Fatalf("after %g h: %s with %g in version %d (%+v), want %+v", step.hours, v.Value.Status, v.Value.Coverage, v.Version, v.Value.Change, step)
		}
	}
	if v := current(t, s, "hero"); !v.Value.StartedAt.Equal(at(1)) || v.Value.ScheduledBy != "" || v.UpdatedBy != System {
		t.Errorf("%+v by %s", v.Value, v.UpdatedBy)
	}
	if v := current(t, s, "idle"); v.Value.Status != Draft {
		t.Errorf("what nobody started is %s", v.Value.Status)
	}
}

func TestScheduleThatCannotStart(t *testing.T) {
	t.Parallel()
	s, clock, tick := watched(t)
	e := halves()
	e.StartAt = pointer(testEpoch.Add(time.Hour))
	put(t, s.experiments, "late", e)
	put(t, s.experiments, "first", halves())
	if _, err := s.Start(t.Context(), "late", "user:a"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Start(t.Context(), "first", "user:a"); err != nil {
		t.Fatal(err)
	}
	clock.set(testEpoch.Add(2 * time.Hour))
	tick()
	v := current(t, s, "late")
	if v.Value.Status != Draft || v.Value.ScheduledBy != "" || v.Value.Change.Action != unscheduleAction || !strings.Contains(v.Value.Change.Reason, "first") {
		t.Errorf("%+v, %+v", v.Value, v.Value.Change)
	}
	// An edit takes it off the schedule as well, and so does stop.
	e.StartAt = pointer(testEpoch.Add(9 * time.Hour))
	put(t, s.experiments, "late", e)
	if _, err := s.Stop(t.Context(), "first", "user:a"); err != nil {
		t.Fatal(err)
	}
	for _, off := range []func() error{
		func() error { _, err := s.Stop(t.Context(), "late", "user:a"); return err },
		func() error {
			e.Name += "x"
			_, err := s.experiments.Put(t.Context(), "late", e, "user:a", 0)
			return err
		},
	} {
		if v, err := s.Start(t.Context(), "late", "user:a"); err != nil || v.Value.ScheduledBy == "" {
			t.Fatalf("%+v, %v", v.Value, err)
		}
		if err := off(); err != nil {
			t.Fatal(err)
		}
		if v := current(t, s, "late"); v.Value.ScheduledBy != "" || v.Value.Status != Draft {
			t.Errorf("still on the schedule: %+v", v.Value)
		}
	}
}

// A guardrail that is broken ends the experiment, or takes out the arm that breaks it;
// one that holds lets a gated ramp go on.
func TestGuardrailsAct(t *testing.T) {
	t.Parallel()
	const people = 6000
	for _, c := range []struct {
		name     string
		action   GuardrailAction
		rates    [3]float64 // of buyers in a (control), b and c
		status   Status
		dropped  []string
		coverage float64
		change   string
	}{
		{"warns", WarnAction, [3]float64{.2, .1, .2}, Running, nil, .5, startAction},
		{"stops", StopAction, [3]float64{.2, .1, .2}, Stopped, nil, .5, stopAction},
		{"takes one out", RollBackAction, [3]float64{.2, .1, .2}, Running, []string{"b"}, .5, rollBackAction},
		{"takes all out", RollBackAction, [3]float64{.2, .1, .1}, Stopped, []string{"b"}, .5, rollBackAction},
		{"lets go on", StopAction, [3]float64{.2, .19, .21}, Running, nil, 1, rampAction},
		{"bears a margin", StopAction, [3]float64{.2, .195, .2}, Running, nil, 1, rampAction},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, clock, tick := watched(t)
			insertPeople(t, s, c.rates, people)
			put(t, s.metrics, "buyers", Metric{Kind: ProportionKind, Event: "Buy", WindowHours: 24})
			e := halves()
			e.Variants = []Variant{{Key: "a", Weight: 1. / 3, Control: true}, {Key: "b", Weight: 1. / 3}, {Key: "c", Weight: 1. / 3}}
			e.Coverage, e.Guardrails = .5, []Guardrail{{Metric: "buyers", Margin: .2, Action: c.action}}
			e.Ramp = &Ramp{Steps: []RampStep{{AfterHours: 1, Coverage: 1}}, Gated: true}
			put(t, s.experiments, "guarded", e)
			if _, err := s.Start(t.Context(), "guarded", "user:a"); err != nil {
				t.Fatal(err)
			}
			clock.set(testEpoch.Add(48 * time.Hour))
			tick()
			tick()
			v := current(t, s, "guarded")
			var dropped []string
			for _, variant := range v.Value.Variants {
				if variant.Dropped {
					dropped = append(dropped, variant.Key)
				}
			}
			if v.Value.Status != c.status || fmt.Sprint(dropped) != fmt.Sprint(c.dropped) || v.Value.Coverage != c.coverage || v.Value.Change.Action != c.change {
				t.Errorf("%s, dropped %v, coverage %g, %+v; want %+v", v.Value.Status, dropped, v.Value.Coverage, v.Value.Change, c)
			}
		})
	}
}

// insertPeople shows each of three arms to people, some of whom buy.
func insertPeople(t *testing.T, s *Service, rates [3]float64, people int) {
	t.Helper()
	insert(t, s.db, exposureColumns, people, func(i int) []any {
		return []any{"guarded", []string{"a", "b", "c"}[i%3], fmt.Sprint("g", i), testEpoch.Add(time.Minute)}
	})
	insert(t, s.db, eventColumns, people, func(i int) []any {
		each := people / 3
		if float64(i/3) >= rates[i%3]*float64(each) {
			return nil
		}
		return []any{fmt.Sprint("e", i), "track", "Buy", fmt.Sprint("g", i), testEpoch.Add(time.Hour), map[string]float64{}}
	})
}

// One of two processes watches, and the other takes over.
func TestOneProcessWatches(t *testing.T) {
	t.Parallel()
	s, clock, _ := watched(t)
	if s.pool == nil {
		t.Fatal("the service has no database")
	}
	e := halves()
	e.StartAt = pointer(testEpoch.Add(time.Hour))
	put(t, s.experiments, "hero", e)
	if _, err := s.Start(t.Context(), "hero", "user:a"); err != nil {
		t.Fatal(err)
	}
	first, stopFirst := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- s.Run(first) }()
	time.Sleep(200 * time.Millisecond) // it leads
	second, stopSecond := context.WithCancel(t.Context())
	defer stopSecond()
	if err := s.lead(second); err != nil {
		t.Fatalf("a second watcher beside the first: %v", err) // returns at once, without the lock
	}
	stopFirst()
	<-ended
	clock.set(testEpoch.Add(2 * time.Hour))
	go func() { ended <- s.Run(second) }()
	for end := time.Now().Add(10 * time.Second); current(t, s, "hero").Value.Status != Running; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the second watcher does not start what is due")
		}
	}
	stopSecond()
	<-ended
}
