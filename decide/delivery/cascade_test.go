package delivery

import (
	"errors"
	"testing"
	"time"

	"quintet/decide/channels"
	"quintet/decide/outbound"
)

// event is something that happens to a message of a cascade.
type event func(t *testing.T, w *town, s *Service)

func receipt(kind channels.ReceiptKind) event {
	return func(t *testing.T, w *town, s *Service) {
		list := steps(t, s.pool, "k0")
		if err := s.Receipt(t.Context(), "telegram", channels.Receipt{ProviderID: list[0].Provider, Kind: kind, At: w.time()}); err != nil {
			t.Fatal(err)
		}
	}
}

func after(d time.Duration) event {
	return func(t *testing.T, w *town, s *Service) {
		w.pass(d)
		settle(t, s)
	}
}

// Telegram, four hours for a view, else SMS: whenever and however often receipts come,
// the SMS goes out once, or not at all where the view came in time.
func TestCascade(t *testing.T) {
	t.Parallel()
	delivered, opened, clicked, failed := receipt(channels.Delivered), receipt(channels.Opened), receipt(channels.Clicked), receipt(channels.Failed)
	for name, c := range map[string]struct {
		events []event
		want   []State
	}{
		"nothing comes":                        {[]event{after(3 * time.Hour)}, []State{Sent, Queued}},
		"no view in time":                      {[]event{delivered, after(5 * time.Hour)}, []State{Sent, Sent}},
		"a view in time":                       {[]event{delivered, opened, after(5 * time.Hour)}, []State{Sent, Skipped}},
		"a view before the delivery, twice":    {[]event{opened, opened, delivered, delivered, after(5 * time.Hour)}, []State{Sent, Skipped}},
		"a click is a view":                    {[]event{clicked, after(5 * time.Hour)}, []State{Sent, Skipped}},
		"a view that is late":                  {[]event{after(5 * time.Hour), opened, opened, after(5 * time.Hour)}, []State{Sent, Sent}},
		"failed at once":                       {[]event{failed, after(time.Second)}, []State{Failed, Sent}},
		"failed twice":                         {[]event{failed, failed, after(time.Second), failed, after(5 * time.Hour)}, []State{Failed, Sent}},
		"failed after a view":                  {[]event{opened, failed, after(5 * time.Hour)}, []State{Sent, Skipped}},
		"a view after a failure":               {[]event{failed, opened, after(5 * time.Hour)}, []State{Sent, Skipped}},
		"delivered after a failure, too late":  {[]event{failed, after(time.Second), delivered, opened, after(5 * time.Hour)}, []State{Sent, Sent}},
		"delivered after a failure, unseen":    {[]event{failed, delivered, after(time.Second)}, []State{Sent, Sent}},
		"a view at the moment of the next one": {[]event{after(4*time.Hour - time.Second), opened, after(time.Second), after(time.Hour)}, []State{Sent, Skipped}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, pool := newTown(1), migrated(t)
			s := w.process(t, pool, three())
			enqueue(t, s, w.message(0, func(m *outbound.Message) { m.Channel = "both" }))
			settle(t, s)
			for _, e := range c.events {
				e(t, w, s)
			}
			settle(t, s)
			var got []State
			sent := 0
			for _, step := range steps(t, pool, "k0") {
				got = append(got, State(step.State))
				if step.State == string(Sent) {
					sent++
				}
			}
			if len(got) != len(c.want) || got[0] != c.want[0] || len(got) > 1 && got[1] != c.want[1] {
				t.Errorf("got %v, want %v", got, c.want)
			}
			for id, times := range w.taken {
				if times != 1 {
					t.Errorf("%s was sent %d times", id, times)
				}
			}
			if w.commits["d0"] == 0 || w.releases["d0"] != 0 {
				t.Errorf("counted %d times, given back %d times", w.commits["d0"], w.releases["d0"])
			}
		})
	}
}

// A step that cannot be sent is followed by the next one at once.
func TestCascadeAfterFailure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*town)
		first  State
	}{
		"dead address":   {func(w *town) { w.answer = answers("telegram", channels.Dead) }, Failed},
		"refused":        {func(w *town) { w.answer = answers("telegram", channels.Permanent) }, Failed},
		"no consent":     {func(w *town) { w.refused["telegram"] = "no-consent" }, Skipped},
		"no address":     {func(w *town) { delete(w.views[person(0)].Traits, "telegramChatId") }, Skipped},
		"channel closed": {func(w *town) { w.inactive["telegram"] = true }, Skipped},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, pool := newTown(1), migrated(t)
			c.change(w)
			s := w.process(t, pool, three())
			enqueue(t, s, w.message(0, func(m *outbound.Message) { m.Channel = "both" }))
			settle(t, s)
			settle(t, s)
			list := steps(t, pool, "k0")
			if len(list) != 2 || list[0].State != string(c.first) || list[1].State != string(Sent) || w.sent() != 1 {
				t.Errorf("%+v, %d sent", list, w.sent())
			}
		})
	}
}

func answers(channel string, kind channels.FailureKind) func(string, *channels.Outgoing) error {
	return func(c string, _ *channels.Outgoing) error {
		if c == channel {
			return &channels.Failure{Kind: kind, Err: errors.New("no")}
		}
		return nil
	}
}

// A message is shown with its whole cascade and what was answered on each channel.
func TestShownCascade(t *testing.T) {
	t.Parallel()
	w, pool := newTown(1), migrated(t)
	s := w.process(t, pool, three())
	enqueue(t, s, w.message(0, func(m *outbound.Message) { m.Channel = "both" }), w.message(0, func(m *outbound.Message) { m.Key, m.DecisionID = "alone", "d1" }))
	settle(t, s)
	w.pass(time.Minute)
	if err := s.Receipt(t.Context(), "telegram", channels.Receipt{ProviderID: steps(t, pool, "k0")[0].Provider, Kind: channels.Bounced, At: w.time()}); err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	shown := map[string]*Shown{}
	if err := s.EachDelivery(t.Context(), []string{person(0).String()}, func(d any) error {
		one := d.(*Shown)
		shown[one.Message.Key] = one
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := shown["alone"]; got == nil || got.Cascade != nil || len(got.Steps) != 1 {
		t.Errorf("%+v", got)
	}
	got := shown["k0"]
	if got == nil || len(got.Cascade) != 2 || got.Cascade[0].Wait != "4h" || len(got.Steps) != 2 {
		t.Fatalf("%+v", got)
	}
	if first := got.Steps[0]; first.State != Failed || first.BouncedAt == nil || !first.BouncedAt.Equal(w.time()) || first.ComplainedAt != nil || first.SentAt == nil {
		t.Errorf("%+v", first)
	}
	if second := got.Steps[1]; second.State != Sent || second.Channel != "sms" || second.BouncedAt != nil {
		t.Errorf("%+v", second)
	}
}
