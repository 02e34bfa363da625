package delivery

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quintet/decide/channels"
	"quintet/decide/outbound"
)

// Whatever two processes do in whichever order, where they die and what the provider
// answers: nothing is taken by the provider twice, and in the end everything was sent
// but for what a dying process had begun to send.
func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		w := newTown(6)
		one, two := w.process(t, pool, three()), w.process(t, pool, three())
		fail := map[string]bool{}
		w.answer = func(_ string, m *channels.Outgoing) error {
			if fail[m.ID] {
				return nil
			}
			fail[m.ID] = true
			switch rapid.IntRange(0, 3).Draw(r, "answer") {
			case 0:
				return &channels.Failure{Kind: channels.Temporary, Err: errors.New("busy")}
			case 1:
				return &channels.Failure{Kind: channels.Uncertain, Err: errors.New("broken")}
			}
			return nil
		}
		var all []outbound.Message
		for i := range 6 {
			all = append(all, w.message(i, func(m *outbound.Message) { m.Key = fmt.Sprint(round, "/", i) }))
		}
		died := map[string]bool{} // begun by a process that then died
		// die does a part of the work and leaves it there.
		die := func(s *Service, begin, taken bool) {
			jobs, err := s.claim(t.Context(), "sms")
			if err != nil {
				t.Fatal(err)
			}
			for i := range jobs {
				if !begin {
					continue
				}
				begun, err := s.begin(t.Context(), &jobs[i], "a@example.com", []string{})
				if err != nil {
					t.Fatal(err)
				}
				if begun {
					died[jobs[i].delivery] = true
					if taken {
						w.taken[stepID(&jobs[i])]++
					}
				}
			}
			s.worker = newID() // it is another process from now on
		}
		for range rapid.IntRange(4, 12).Draw(r, "moves") {
			s := rapid.SampledFrom([]*Service{one, two}).Draw(r, "process")
			switch rapid.IntRange(0, 5).Draw(r, "move") {
			case 0:
				n := rapid.IntRange(0, len(all)-1).Draw(r, "from")
				enqueue(t, s, all[n:]...)
			case 1:
				die(s, false, false)
			case 2:
				die(s, true, rapid.Bool().Draw(r, "taken"))
			case 3:
				w.pass(time.Duration(rapid.IntRange(1, 600).Draw(r, "seconds")) * time.Second)
			default:
				done := make(chan error, 2)
				go func() { done <- one.Settle(t.Context()) }()
				go func() { done <- two.Settle(t.Context()) }()
				if err := errors.Join(<-done, <-done); err != nil {
					t.Fatal(err)
				}
			}
		}
		enqueue(t, one, all...)
		for range 4 {
			w.pass(10 * time.Minute)
			settle(t, one)
			settle(t, two)
		}
		for id, times := range w.taken {
			if times > 1 {
				r.Fatalf("%s was taken %d times", id, times)
			}
		}
		for _, m := range all {
			list := steps(t, pool, m.Key)
			if len(list) != 1 {
				r.Fatalf("%s has the steps %+v", m.Key, list)
			}
			step := list[0]
			id := stepID(&job{delivery: step.ID})
			switch {
			case step.State == string(Sent) && w.taken[id] == 1:
			case step.State == string(Uncertain) && (died[step.ID] || w.taken[id] == 1):
			default:
				r.Fatalf("%s is %+v and was taken %d times", m.Key, step, w.taken[id])
			}
			if w.commits[m.DecisionID] == 0 || w.releases[m.DecisionID] > 0 {
				r.Fatalf("%s was counted %d times and given back %d times", m.DecisionID, w.commits[m.DecisionID], w.releases[m.DecisionID])
			}
		}
	})
}
