package delivery

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"quintet/decide/channels"
	"quintet/decide/outbound"
)

// hasty is a provider that tells what became of a message before it answers that it took it.
type hasty struct {
	provider
	tell func(ctx context.Context, id, providerID string) error
}

func (h hasty) Send(ctx context.Context, m *channels.Outgoing) (string, error) {
	id, err := h.provider.Send(ctx, m)
	if err == nil {
		err = h.tell(ctx, m.ID, id)
	}
	return id, err
}

// A receipt that comes before the sending was written down, by the provider's id or by
// ours, is as good as one that comes after it, in a cascade as well.
func TestReceiptBeforeItsMessage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kinds  []channels.ReceiptKind
		want   []State // at once
		later  []State // when the cascade would have gone on
		events []string
	}{
		{[]channels.ReceiptKind{channels.Delivered}, []State{Sent, Queued}, []State{Sent, Sent}, []string{"delivered", "sent"}},
		{[]channels.ReceiptKind{channels.Opened, channels.Delivered, channels.Opened}, []State{Sent, Skipped}, []State{Sent, Skipped}, []string{"delivered", "opened", "sent"}},
		{[]channels.ReceiptKind{channels.Failed}, []State{Failed, Sent}, []State{Failed, Sent}, []string{"failed"}},
		{[]channels.ReceiptKind{channels.Failed, channels.Bounced, channels.Complained}, []State{Failed, Sent}, []State{Failed, Sent}, []string{"bounced", "complained", "failed"}},
	} {
		for _, own := range []bool{false, true} {
			t.Run(fmt.Sprint(c.kinds, own), func(t *testing.T) {
				t.Parallel()
				w, pool := newTown(1), migrated(t)
				s := w.process(t, pool, three())
				s.drivers["telegram"].Driver = hasty{provider{w, "telegram"}, func(ctx context.Context, id, providerID string) error {
					for _, kind := range c.kinds {
						r := channels.Receipt{ProviderID: providerID, Kind: kind, At: w.time()}
						if own {
							r.ID, r.ProviderID = id, ""
						}
						if err := s.Receipt(ctx, "telegram", r); err != nil {
							return err
						}
					}
					return nil
				}}
				enqueue(t, s, w.message(0, func(m *outbound.Message) { m.Channel = "both" }))
				for range 3 {
					settle(t, s)
				}
				states := func() (list []State) {
					for _, step := range steps(t, pool, "k0") {
						list = append(list, State(step.State))
					}
					return list
				}
				// What a view makes needless may be noticed only when it is due.
				if got := states(); !slices.Equal(got, c.want) && (c.want[1] != Skipped || !slices.Equal(got, []State{Sent, Queued})) {
					t.Errorf("at once the steps are %v, want %v", got, c.want)
				}
				w.pass(5 * time.Hour)
				for range 3 {
					settle(t, s)
				}
				if got := states(); !slices.Equal(got, c.later) {
					t.Errorf("in the end the steps are %v, want %v", got, c.later)
				}
				for _, kind := range c.events {
					if !slices.ContainsFunc(slices.Collect(maps.Keys(w.notes)), func(id string) bool { return strings.HasSuffix(id, "-0/"+kind) }) {
						t.Errorf("no event tells of %s among %v", kind, slices.Collect(maps.Keys(w.notes)))
					}
				}
				var waiting int
				if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM delivery_early_receipts").Scan(&waiting); err != nil || waiting != 0 {
					t.Errorf("%d receipts still wait, %v", waiting, err)
				}
			})
		}
	}
}

// Receipts of messages that are not known wait for an hour, and are found also where
// whoever sent died before it looked for them.
func TestReceiptsWaitForTheirMessage(t *testing.T) {
	t.Parallel()
	w, pool := newTown(1), migrated(t)
	s := w.process(t, pool, three())
	for _, id := range []string{"made up", "late"} {
		if err := s.Receipt(t.Context(), "sms", channels.Receipt{ProviderID: id, Kind: channels.Delivered, At: w.time()}); err != nil {
			t.Fatal(err)
		}
	}
	enqueue(t, s, w.message(0))
	settle(t, s)
	if _, err := pool.Exec(t.Context(), "UPDATE delivery_steps SET provider_id = 'late'"); err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	var delivered bool
	if err := pool.QueryRow(t.Context(), "SELECT delivered_at IS NOT NULL FROM delivery_steps").Scan(&delivered); err != nil || !delivered {
		t.Errorf("a receipt that waited was not found: %v", err)
	}
	w.pass(earlyFor + time.Second)
	settle(t, s)
	var waiting int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM delivery_early_receipts").Scan(&waiting); err != nil || waiting != 0 {
		t.Errorf("%d receipts still wait, %v", waiting, err)
	}
}

// Who looks at a message of which it is not certain that it was sent is a person, and
// the message arrived.
func TestVisitOfUncertainMessage(t *testing.T) {
	t.Parallel()
	w, pool := newTown(1), migrated(t)
	s := w.process(t, pool, three())
	w.answer = func(string, *channels.Outgoing) error { return &channels.Failure{Kind: channels.Uncertain} }
	enqueue(t, s, w.message(0))
	settle(t, s)
	list := steps(t, pool, "k0")
	if len(list) != 1 || list[0].State != string(Uncertain) {
		t.Fatalf("%+v", list)
	}
	w.pass(time.Minute)
	r := httptest.NewRequest(http.MethodGet, "/r/x", nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
	s.visit(t.Context(), r, list[0].ID, 0, channels.Clicked, nil)
	if list = steps(t, pool, "k0"); list[0].State != string(Sent) {
		t.Errorf("after a visit it is %s", list[0].State)
	}
}
