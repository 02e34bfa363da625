package shop

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"quintet/internal/client"
)

// Clock is one that is moved by hand.
type Clock struct{ at atomic.Int64 }

// NewClock shows a moment.
func NewClock(at time.Time) *Clock {
	c := new(Clock)
	c.Set(at)
	return c
}

// Now is what it shows.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.at.Load()).UTC() }

// Set moves it.
func (c *Clock) Set(at time.Time) { c.at.Store(at.UnixMilli()) }

// WeekService is the service that a week happens to. Its clock is that of the week.
type WeekService struct {
	Client *client.Client
	Clock  *Clock
	// Settle does everything that is due at the moment that the clock shows.
	Settle func(context.Context) error
	// Learn brings models up to what is in the log.
	Learn func(context.Context) error
}

// Lived is what became of a person.
type Lived struct {
	UserID       string
	Made         float64 // margin of orders
	Cost         float64 // of the messages that arrived
	Untouched    float64 // margin that the same person brings without any contact
	Orders       int
	Messages     int
	Unsubscribed bool
}

// WeekResult is what a week came to, by what the simulator knows.
type WeekResult struct {
	People   []Lived
	Visits   int
	Arrivals []Arrival
	Twice    int // messages that arrived a second time
	Busy     int // attempts for which the provider was too busy
	Wished   int // people who withdrew their consent, or were suppressed by hand
}

// alive is somebody on their way through the week.
type alive struct {
	Lived
	came []time.Time // messages
}

// tired is how many messages somebody had in the days before a moment.
func (a *alive) tired(at time.Time) (n int) {
	for _, t := range a.came {
		if at.Sub(t) < tiring {
			n++
		}
	}
	return n
}

// happening is something that somebody will do.
type happening struct {
	at      time.Time
	person  int
	kind    string // opened, clicked, unsubscribes, buys
	arrival Arrival
	sale    Sale
}

type weekRun struct {
	*Week
	WeekService
	step    time.Duration
	workers int
	peer    *peer
	living  []alive
	byTo    map[string]int
	next    []happening
	visit   int // of Visits
	result  WeekResult

	mu     sync.Mutex
	events []client.Message
}

// Run lives through the week: it defines everything, tells of the people, and then moves
// the clock step by step. At every step people come by, read, buy and unsubscribe, and
// the service does what is due. models learn at
// every interval of learn; progress is told of the share that is over.
func (w *Week) Run(ctx context.Context, s WeekService, step, learn time.Duration, progress func(share float64)) (*WeekResult, error) {
	r := &weekRun{Week: w, WeekService: s, step: step, workers: 8, living: make([]alive, len(w.People)), byTo: make(map[string]int)}
	for i := range w.People {
		p := &w.People[i]
		r.living[i].UserID = p.UserID
		r.byTo[p.Email], r.byTo[p.Push] = i, i
	}
	var err error
	if r.peer, err = startPeer(ctx, s.Clock.Now); err != nil {
		return nil, err
	}
	defer r.peer.close()
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	learned := w.From
	for at := w.From; at.Before(w.Until); at = at.Add(step) {
		s.Clock.Set(at)
		if err := r.live(ctx, at); err != nil {
			return nil, fmt.Errorf("at %s: %w", at.Format(time.RFC3339), err)
		}
		if at.Sub(learned) >= learn {
			learned = at
			if err := s.Learn(ctx); err != nil {
				return nil, err
			}
		}
		if progress != nil {
			progress(float64(at.Sub(w.From)) / float64(w.Until.Sub(w.From)))
		}
	}
	s.Clock.Set(w.Until)
	if err := s.Settle(ctx); err != nil {
		return nil, err
	}
	r.collect()
	return r.end(), nil
}

// begin has the people and the definitions there before the first moment.
func (r *weekRun) begin(ctx context.Context) error {
	before := r.From.Add(-r.step)
	r.Clock.Set(before)
	if err := r.define(ctx, r.Client, r.peer.base); err != nil {
		return err
	}
	for i := range r.People {
		if p := &r.People[i]; p.SignsUp.IsZero() {
			r.tell(r.introduce(p, before)...)
		}
	}
	if err := r.send(ctx); err != nil {
		return err
	}
	if err := r.Settle(ctx); err != nil {
		return err
	}
	r.Clock.Set(r.From)
	return r.start(ctx, r.Client)
}

// live is one step.
func (r *weekRun) live(ctx context.Context, at time.Time) error {
	for i := range r.People {
		if p := &r.People[i]; p.SignsUp.Equal(at) {
			r.tell(r.introduce(p, at)...)
		}
	}
	if err := r.happen(ctx, at); err != nil {
		return err
	}
	if err := r.wishes(ctx, at); err != nil {
		return err
	}
	if err := r.visits(ctx, at); err != nil {
		return err
	}
	if err := r.send(ctx); err != nil {
		return err
	}
	if err := r.Settle(ctx); err != nil {
		return err
	}
	r.collect()
	return nil
}

// tell keeps events for the next [weekRun.send].
func (r *weekRun) tell(list ...client.Message) {
	r.mu.Lock()
	r.events = append(r.events, list...)
	r.mu.Unlock()
}

func (r *weekRun) send(ctx context.Context) error {
	const page = 400
	for list := range slices.Chunk(r.events, page) {
		result, err := r.Client.Batch(ctx, list)
		if err != nil {
			return err
		}
		if len(result.Rejected) > 0 {
			return fmt.Errorf("the service refused an event of the shop: %+v", result.Rejected[0])
		}
	}
	r.events = r.events[:0]
	return nil
}

// visits are those of a moment: each asks what to show, and answers.
func (r *weekRun) visits(ctx context.Context, at time.Time) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.workers)
	for ; r.visit < len(r.Visits) && !r.Visits[r.visit].At.After(at); r.visit++ {
		v := &r.Visits[r.visit]
		r.result.Visits++
		group.Go(func() error { return r.comeBy(ctx, v) })
	}
	return group.Wait()
}

func (r *weekRun) comeBy(ctx context.Context, v *WeekVisit) error {
	p, me := &r.People[v.Person], &r.living[v.Person]
	var d decision
	if err := r.Client.Post(ctx, "/v1/decide", map[string]any{"decision": PointHome, "user": map[string]string{"userId": p.UserID}}, &d, client.Idempotent()); err != nil {
		return fmt.Errorf("deciding for a visitor: %w", err)
	}
	offer := ""
	if d.What != nil {
		offer = d.What.Offer
	}
	sale, bought, cart := r.OnVisit(v, offer, me.tired(v.At))
	id := fmt.Sprintf("week-%d-%05d-visit-%d-", r.Seed, p.Index, v.Number)
	if cart {
		r.tell(client.Message{Type: "track", MessageID: id + "cart", UserID: p.UserID, Event: "Product Added", Timestamp: &v.At,
			Properties: map[string]any{"product_id": r.Items[int(v.Number)%len(r.Items)].ID, "category": p.Category, "price": cents(p.basket)}})
	}
	if bought {
		me.Made += sale.Margin
		me.Orders++
		r.tell(client.Message{Type: "track", MessageID: id + "order", UserID: p.UserID, Event: "Order Completed", Timestamp: &v.At,
			Properties: map[string]any{"revenue": sale.Revenue, "margin": sale.Margin, "decisionId": d.DecisionID}})
	}
	return nil
}

// happen does what people do with messages at a moment.
func (r *weekRun) happen(ctx context.Context, at time.Time) error {
	due := 0
	for due < len(r.next) && !r.next[due].at.After(at) {
		due++
	}
	list := r.next[:due]
	r.next = slices.Clone(r.next[due:])
	receipts := map[string][]happening{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.workers)
	for i := range list {
		h := &list[i]
		switch h.kind {
		case "unsubscribes":
			r.living[h.person].Unsubscribed = true
			group.Go(func() error { return r.Client.Post(ctx, "/u/"+h.arrival.unsubscribe, nil, nil, client.Idempotent()) })
		case "buys":
			group.Go(func() error { return r.buy(ctx, h) })
		default:
			receipts[h.arrival.Channel] = append(receipts[h.arrival.Channel], *h)
		}
	}
	for channel, list := range receipts {
		for page := range slices.Chunk(list, 40) {
			group.Go(func() error { return r.tellReceipts(ctx, channel, page) })
		}
	}
	return group.Wait()
}

// buy is an order that came of a link. The link leads to the delivery, which knows the
// decision.
func (r *weekRun) buy(ctx context.Context, h *happening) error {
	id, _, _ := strings.Cut(h.arrival.ID, "-")
	var sent struct {
		Message struct{ DecisionID string }
	}
	if err := r.Client.Get(ctx, "/v1/deliveries/"+strings.ToUpper(id), &sent); err != nil {
		return fmt.Errorf("reading the message that somebody bought by: %w", err)
	}
	me := &r.living[h.person]
	r.mu.Lock()
	me.Made += h.sale.Margin
	me.Orders++
	r.mu.Unlock()
	r.tell(client.Message{Type: "track", MessageID: "week-link-" + h.arrival.ID, UserID: r.People[h.person].UserID, Event: "Order Completed", Timestamp: &h.at,
		Properties: map[string]any{"revenue": h.sale.Revenue, "margin": h.sale.Margin, "decisionId": sent.Message.DecisionID}})
	return nil
}

func (r *weekRun) tellReceipts(ctx context.Context, channel string, list []happening) error {
	type receipt struct {
		ID     string `json:"id"`
		Status string `json:"status"`
		Time   string `json:"time"`
	}
	var body struct {
		Receipts []receipt `json:"receipts"`
	}
	for i := range list {
		body.Receipts = append(body.Receipts, receipt{"p-" + list[i].arrival.ID, list[i].kind, strconv.FormatInt(list[i].at.UnixMilli(), 10)})
	}
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding receipts: %w", err)
	}
	mac := hmac.New(sha256.New, []byte(receiptsSecret))
	mac.Write(text)
	if err := r.Client.Post(ctx, "/v1/channels/"+channel+"/receipts", text, nil, client.Idempotent(), client.Header("X-Signature", hex.EncodeToString(mac.Sum(nil)))); err != nil {
		return fmt.Errorf("sending receipts: %w", err)
	}
	return nil
}

// wishes are those of a few people at a moment who withdraw their consent on the site, or
// call and are put on the list of addresses to which nothing goes.
func (r *weekRun) wishes(ctx context.Context, at time.Time) error {
	const share = 0.02 // of the people, in a week
	moments := float64(7*hoursDay) / float64(r.step)
	n := int(float64(at.Sub(r.From)/r.step+1)*share*float64(len(r.People))/moments) - r.result.Wished
	for range n {
		k := r.result.Wished
		p := &r.People[(k*7919+13)%len(r.People)]
		r.result.Wished++
		switch {
		case !p.SignsUp.IsZero() && !p.SignsUp.Before(at):
		case k%2 == 0 || p.Email == "":
			r.tell(client.Message{Type: "track", MessageID: fmt.Sprintf("week-%d-wish-%d", r.Seed, k), UserID: p.UserID, Event: "Consent Withdrawn", Timestamp: &at, Properties: map[string]any{"purpose": PurposeNews}})
		default:
			if err := r.Client.Post(ctx, "/v1/suppressions", map[string]any{"items": []map[string]any{{"namespace": "email", "value": p.Email, "reason": "manual"}}}, nil, client.Idempotent()); err != nil {
				return fmt.Errorf("suppressing an address: %w", err)
			}
		}
	}
	return nil
}

// collect takes the messages that arrived at this moment and draws what people will do.
func (r *weekRun) collect() {
	for _, a := range r.peer.arrived() {
		r.result.Arrivals = append(r.result.Arrivals, a)
		i, known := r.byTo[a.To]
		if !known {
			continue
		}
		p, me := &r.People[i], &r.living[i]
		answer := r.OnMessage(p, me.Messages, a.At, a.Offer, a.Channel, me.tired(a.At))
		me.came = append(me.came, a.At)
		me.Messages++
		me.Cost += map[string]float64{"email": 0.03, "push": 0.01}[a.Channel]
		add := func(yes bool, kind string, after time.Duration) {
			if at := a.At.Add(after).Truncate(time.Millisecond); yes {
				r.next = append(r.next, happening{at: at, person: i, kind: kind, arrival: a, sale: answer.Sale})
			}
		}
		add(true, "delivered", time.Second)
		add(answer.Opens, "opened", answer.OpensAfter+time.Minute)
		add(answer.Clicks, "clicked", answer.OpensAfter+2*time.Minute)
		add(answer.Buys, "buys", answer.BuysAfter+3*time.Minute)
		add(answer.Unsubscribes, "unsubscribes", answer.UnsubscribesAfter+time.Minute)
	}
	slices.SortStableFunc(r.next, func(a, b happening) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.person, b.person)) })
}

func (r *weekRun) end() *WeekResult {
	untouched := r.Untouched(r.Until)
	for i := range r.living {
		r.living[i].Untouched = untouched[i]
		r.result.People = append(r.result.People, r.living[i].Lived)
	}
	r.result.Twice, r.result.Busy = r.peer.Twice, r.peer.Refused
	return &r.result
}
