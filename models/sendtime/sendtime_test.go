package sendtime

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world sends messages at random hours to people who have a favourite hour each, and
// keeps how likely each person answers at each hour.
func world(people, each int, seed uint64) ([]Message, func(person string, slot int) float64) {
	r := rand.New(rand.NewPCG(seed, 4))
	favourite := map[string]int{}
	rate := func(person string, slot int) float64 {
		distance := math.Abs(float64(slot%24 - favourite[person]))
		distance = math.Min(distance, 24-distance)
		return .05 + .3*math.Exp(-distance*distance/8)
	}
	var out []Message
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for p := range people {
		name, group := fmt.Sprint("p", p), "evening"
		favourite[name] = 17 + r.IntN(5)
		if p%2 == 0 {
			favourite[name], group = 6+r.IntN(5), "morning"
		}
		for m := range each {
			slot := r.IntN(Slots)
			out = append(out, Message{Person: name, Group: group, Slot: slot, Propensity: 1. / 24, Answered: r.Float64() < rate(name, slot),
				At: start.Add(time.Duration(m)*24*time.Hour + time.Duration(r.IntN(86400))*time.Second)})
		}
	}
	return out, rate
}

// thatDay allows the hours of the day on which the message was sent.
func thatDay(m *Message) []int {
	out := make([]int, 24)
	for i := range out {
		out[i] = m.Slot/24*24 + i
	}
	return out
}

// The model finds the hidden hours, its choice beats a fixed hour and now both in truth
// and by the off-policy estimate, whose interval holds the truth.
func TestHiddenHoursAreFound(t *testing.T) {
	t.Parallel()
	worlds, people := 1, 500
	if os.Getenv("QUINTET_TEST_FULL") != "" {
		worlds, people = 20, 600
	}
	inside := 0
	for w := range worlds {
		messages, rate := world(people, 90, uint64(w))
		var train, test []Message
		cut := messages[0].At.AddDate(0, 0, 45)
		for _, m := range messages {
			if m.At.Before(cut) {
				train = append(train, m)
			} else {
				test = append(test, m)
			}
		}
		model, err := Fit(t.Context(), train)
		if err != nil {
			t.Fatal(err)
		}
		known := Histories(train)
		fixed, best := 0, 0.0
		for k := range 24 {
			v := 0.0
			for day := range 7 {
				v += model.Global[24*day+k]
			}
			if v > best {
				fixed, best = k, v
			}
		}
		c, err := Evaluate(model, known, test, thatDay, fixed, Setting{})
		if err != nil {
			t.Fatal(err)
		}
		var truth, fixedTruth, nowTruth float64
		for _, m := range test {
			p, err := model.Choose(known[m.Person], thatDay(&m), Setting{})
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range p {
				truth += v * rate(m.Person, k) / float64(len(test))
				nowTruth += rate(m.Person, k) / 24 / float64(len(test))
			}
			fixedTruth += rate(m.Person, fixed) / float64(len(test))
		}
		if w == 0 {
			t.Logf("model %s %+v", model.Kind, model.HeldOut)
			t.Logf("truth: model %.4f fixed %.4f now %.4f; estimated %+v", truth, fixedTruth, nowTruth, c)
		}
		if truth < fixedTruth+.02 || truth < nowTruth+.05 {
			t.Errorf("the model's hours bring %.4f, a fixed hour %.4f, any hour %.4f", truth, fixedTruth, nowTruth)
		}
		if c.GainNow[1] <= 0 || c.Gain[1] <= 0 {
			t.Errorf("the intervals of the gains over now and a fixed hour begin at %.4f and %.4f", c.GainNow[1], c.Gain[1])
		}
		if math.Abs(c.Model.Rate-truth) < 1.96*c.Model.Error {
			inside++
		}
	}
	if float64(inside) < .8*float64(worlds)-.7 {
		t.Errorf("%d of %d intervals hold the truth", inside, worlds)
	}
}

func TestChoiceIsADistribution(t *testing.T) {
	t.Parallel()
	messages, _ := world(40, 40, 9)
	model, err := Fit(t.Context(), messages)
	if err != nil {
		t.Fatal(err)
	}
	known := Histories(messages)
	rapid.Check(t, func(t *rapid.T) {
		allowed := rapid.SliceOfNDistinct(rapid.IntRange(0, Slots-1), 1, 48, rapid.ID).Draw(t, "allowed")
		floor := rapid.Float64Range(.01, 1).Draw(t, "floor")
		h := known[fmt.Sprint("p", rapid.IntRange(0, 80).Draw(t, "person"))] // half are unknown
		p, err := model.Choose(h, allowed, Setting{Floor: floor})
		if err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for _, v := range p {
			total += v
			if v < floor/float64(len(allowed))-1e-12 {
				t.Fatalf("%v is below the floor", v)
			}
		}
		if math.Abs(total-1) > 1e-9 {
			t.Fatalf("adds up to %v", total)
		}
		if i := Draw(p, rapid.Float64Range(0, 1).Draw(t, "u")); i < 0 || i >= len(allowed) {
			t.Fatal(i)
		}
	})
	if _, err := model.Choose(nil, nil, Setting{}); !errors.Is(err, ErrNoSlot) {
		t.Error(err)
	}
}

func TestTooFewMessages(t *testing.T) {
	t.Parallel()
	messages, _ := world(20, 30, 1)
	for name, m := range map[string][]Message{"ten": messages[:10], "none": nil} {
		if _, err := Fit(t.Context(), m); !errors.Is(err, ErrTooFew) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range messages {
		messages[i].Answered = false
	}
	if _, err := Fit(t.Context(), messages); !errors.Is(err, ErrTooFew) {
		t.Errorf("no answers: %v", err)
	}
	messages[3].Slot = 200
	if _, err := Fit(t.Context(), messages); err == nil {
		t.Error("slot 200 is taken")
	}
}

func TestSlotOf(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("UTC+3", 3*3600)
	for at, want := range map[string]int{"2026-11-23T00:30:00Z": 3, "2026-11-22T20:59:00Z": 167, "2026-11-22T21:00:00Z": 0} {
		v, _ := time.Parse(time.RFC3339, at)
		if got := SlotOf(v, zone); got != want {
			t.Errorf("%s is slot %d (%s), want %d", at, got, Name(got), want)
		}
	}
	sent := time.Now()
	if !Machine(sent, sent.Add(time.Second), false) || Machine(sent, sent.Add(time.Minute), false) || !Machine(sent, sent.Add(time.Minute), true) {
		t.Error("machine opens are told wrongly")
	}
}
