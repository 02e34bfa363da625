package shop

import (
	"math"
	"testing"
	"time"
)

func testWeek(seed uint64) *Week {
	return NewWeek(seed, 2000, time.Date(2026, 10, 21, 0, 0, 0, 0, time.UTC), 7, 30*time.Minute)
}

// Somebody's luck belongs to them and the moment: what is shown changes what they do of it.
func TestLuckBelongsToTheMoment(t *testing.T) {
	t.Parallel()
	a, b := testWeek(3), testWeek(3)
	if len(a.Visits) < 4000 || len(a.Visits) != len(b.Visits) {
		t.Fatalf("%d and %d visits", len(a.Visits), len(b.Visits))
	}
	more, less, orders := 0, 0, 0
	for i := range a.Visits {
		v := &a.Visits[i]
		if v.At.Before(a.From) || !v.At.Before(a.Until) || v.At.Truncate(30*time.Minute) != v.At || i > 0 && v.At.Before(a.Visits[i-1].At) {
			t.Fatalf("visit %d is at %s", i, v.At)
		}
		sale, bought, _ := a.OnVisit(v, "", 0)
		again, too, _ := b.OnVisit(&b.Visits[i], "", 0)
		if sale != again || bought != too {
			t.Fatal("two weeks of one seed differ")
		}
		_, tempted, _ := a.OnVisit(v, "spring-sale", 0)
		_, tired, _ := a.OnVisit(v, "", 10)
		if bought {
			orders++
		}
		if tempted && !bought {
			more++
		}
		if bought && !tired {
			less++
		}
		if bought && !tempted || tired && !bought {
			t.Fatal("an offer keeps somebody from buying who would have, or messages make somebody buy")
		}
	}
	if more < orders/4 || less < orders/10 {
		t.Errorf("of %d orders an offer adds %d and ten messages take away %d", orders, more, less)
	}
	var sum, want float64
	for _, margin := range a.Untouched(a.Until) {
		sum += margin
	}
	for i := range a.Visits {
		if sale, bought, _ := a.OnVisit(&a.Visits[i], "", 0); bought {
			want += sale.Margin
		}
	}
	if math.Abs(sum-want) > 1e-6 || sum == 0 {
		t.Errorf("untouched people bring %f, their visits %f", sum, want)
	}
}

// Each message of the last days doubles the probability to unsubscribe, and makes the next
// one less likely to be opened.
func TestMessagesTire(t *testing.T) {
	t.Parallel()
	w := testWeek(4)
	at := w.From.Add(20 * time.Hour)
	var opens, leaves [4]int
	var expected [4]float64
	const each = 20
	for i := range w.People {
		p := &w.People[i]
		for tired := range opens {
			expected[tired] += each * Unsubscribing(p.anger, tired)
			for n := range each {
				a := w.OnMessage(p, 1000*tired+n, at, "sale", "email", tired)
				if a.Clicks && !a.Opens || a.Buys && !a.Clicks {
					t.Fatal("somebody buys by a link that they did not see")
				}
				if a.Opens {
					opens[tired]++
				}
				if a.Unsubscribes {
					leaves[tired]++
				}
			}
		}
	}
	for tired := range opens {
		if sd := math.Sqrt(expected[tired]); math.Abs(float64(leaves[tired])-expected[tired]) > 5*sd {
			t.Errorf("after %d messages %d unsubscribe, expected are %.0f ± %.0f", tired, leaves[tired], expected[tired], sd)
		}
		if tired > 0 && (opens[tired] >= opens[tired-1] || expected[tired] < 1.8*expected[tired-1]) {
			t.Errorf("after %d messages %d are opened, before %d; unsubscribing is %.0f, before %.0f", tired, opens[tired], opens[tired-1], expected[tired], expected[tired-1])
		}
	}
}
