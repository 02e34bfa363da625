package calendar

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestNext(t *testing.T) {
	t.Parallel()
	night := []Quiet{{From: 21 * 60, To: 9 * 60}}
	for name, c := range map[string]struct {
		zone, at, want string
		hours          []Quiet
	}{
		"in the day":     {"Europe/Berlin", "2026-06-01T12:00:30+02:00", "2026-06-01T12:00:30+02:00", night},
		"in the evening": {"Europe/Berlin", "2026-06-01T21:00:00+02:00", "2026-06-02T09:00:00+02:00", night},
		"to the second":  {"Europe/Berlin", "2026-06-02T08:59:59+02:00", "2026-06-02T09:00:00+02:00", night},
		// The clock goes from 02:00 to 03:00.
		"night with a clock put forward": {"Europe/Berlin", "2026-03-28T22:00:00+01:00", "2026-03-29T09:00:00+02:00", night},
		"night with a clock put back":    {"Europe/Berlin", "2026-10-24T22:00:00+02:00", "2026-10-25T09:00:00+01:00", night},
		// 02:30 is not there, so it is over as the clock shows 03:00.
		"until an hour that is left out": {"Europe/Berlin", "2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", []Quiet{{From: 60, To: 150}}},
		// 02:30 comes twice; between, from 02:30 to 03:00 of the first time, it is not quiet.
		"until an hour that comes twice":        {"Europe/Berlin", "2026-10-25T01:30:00+02:00", "2026-10-25T02:30:00+02:00", []Quiet{{From: 60, To: 150}}},
		"in the hour as it comes again":         {"Europe/Berlin", "2026-10-25T02:15:00+01:00", "2026-10-25T02:30:00+01:00", []Quiet{{From: 60, To: 150}}},
		"a zone with half an hour":              {"Australia/Lord_Howe", "2026-04-04T22:00:00+11:00", "2026-04-05T09:00:00+10:30", night},
		"two stretches that meet":               {"UTC", "2026-06-01T20:00:00Z", "2026-06-02T10:00:00Z", []Quiet{{From: 20 * 60, To: 22 * 60}, {From: 22 * 60, To: 10 * 60}}},
		"the whole Sunday":                      {"UTC", "2026-06-07T00:30:00Z", "2026-06-08T00:00:00Z", []Quiet{{Days: 1 << time.Sunday}}},
		"Friday's night lasts until Saturday":   {"UTC", "2026-06-06T03:00:00Z", "2026-06-06T09:00:00Z", []Quiet{{From: 21 * 60, To: 9 * 60, Days: 1 << time.Friday}}},
		"Saturday's evening is not of Friday's": {"UTC", "2026-06-06T22:00:00Z", "2026-06-06T22:00:00Z", []Quiet{{From: 21 * 60, To: 9 * 60, Days: 1 << time.Friday}}},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := Next(at, zone(t, c.zone), c.hours)
		if want, err := time.Parse(time.RFC3339, c.want); err != nil || !ok || !got.Equal(want) {
			t.Errorf("%s: %s, want %s", name, got.In(zone(t, c.zone)), want)
		}
	}
	if at, ok := Next(time.Now(), time.UTC, []Quiet{{}}); ok {
		t.Errorf("always quiet, but not at %s", at)
	}
}

// TestNextIsTheFirst compares with looking at every minute.
func TestNextIsTheFirst(t *testing.T) {
	t.Parallel()
	names := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata", "Pacific/Auckland"}
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(names).Draw(t, "zone"))
		// Most are drawn near a change of the clock.
		at := time.Date(2026, rapid.SampledFrom([]time.Month{3, 4, 6, 9, 10, 11}).Draw(t, "month"), rapid.IntRange(1, 31).Draw(t, "day"), 0,
			rapid.IntRange(0, 1439).Draw(t, "minute"), rapid.IntRange(0, 59).Draw(t, "second"), 0, time.UTC)
		hours := make([]Quiet, rapid.IntRange(1, 3).Draw(t, "n"))
		for i := range hours {
			hours[i] = Quiet{From: Clock(rapid.IntRange(0, 1439).Draw(t, "from")), To: Clock(rapid.IntRange(0, 1439).Draw(t, "to")),
				Days: Weekdays(rapid.SampledFrom([]int{0, 1, 62, 65}).Draw(t, "days"))}
		}
		quiet := func(at time.Time) bool {
			for _, q := range hours {
				if q.At(at, z) {
					return true
				}
			}
			return false
		}
		want := at
		for quiet(want) && want.Sub(at) <= horizon {
			want = want.Add(time.Minute).Truncate(time.Minute)
		}
		got, ok := Next(at, z, hours)
		if ok && (quiet(got) || !got.Equal(want)) || !ok && want.Sub(at) <= horizon {
			t.Fatalf("from %s: %s (%v), want %s", at.In(z), got.In(z), ok, want.In(z))
		}
	})
}

func FuzzParseClock(f *testing.F) {
	for _, text := range []string{"00:00", "23:59", "24:00", "9:30", "", "aa:bb"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseClock(text); err == nil && (c < 0 || c > 1439 || c.String() != text) {
			t.Errorf("%q is read as %s", text, c)
		}
	})
}
