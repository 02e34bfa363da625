package attributes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quintet/internal/enginetest"
	"quintet/profiles/identity"
)

// eventually waits for something that happens beside the test.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestCountersFollowEachEvent(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	b.Track(event("u", "Played", 3, `{"minutes":5}`), event("u", "Played", 20, `{"minutes":100}`))
	b.Must("PUT", "/v1/attributes/plays", `{"kind":"counter","event":"Played","windowDays":7}`)
	b.Must("PUT", "/v1/attributes/minutes", `{"kind":"counter","event":"Played","aggregate":"sum","property":"minutes","where":[{"property":"minutes","is":"<","value":50}]}`)
	var watched atomic.Int64
	b.watch = func(identity.ID) { watched.Add(1) }
	b.Open()
	b.compute()
	check := func(plays, minutes float64) func() bool {
		return func() bool { got := b.attributes("u"); return got["plays"] == plays && got["minutes"] == minutes }
	}
	if !check(1, 5)() {
		t.Fatalf("computed %v", b.attributes("u"))
	}
	b.Track(event("u", "Played", 1, `{"minutes":7}`), event("u", "Played", 1, `{"minutes":70}`), event("u", "Played", 8, `{"minutes":2}`), event("u", "Else", 1, `{"minutes":3}`))
	eventually(t, "the counters count", check(3, 14))
	for range 2 { // the run counts the same events; nothing doubles
		b.compute()
		if !check(3, 14)() {
			t.Fatalf("after a run %v", b.attributes("u"))
		}
	}
	b.Track(event("u", "Played", 0.5, `{"minutes":1}`))
	eventually(t, "the counters go on", check(4, 15))
	b.set(now.AddDate(0, 0, 5)) // the play of three days ago leaves the window
	b.compute()
	if !check(3, 15)() {
		t.Errorf("later %v", b.attributes("u"))
	}
	b.Open() // a restart
	if !check(3, 15)() {
		t.Errorf("after a restart %v", b.attributes("u"))
	}
	b.compute()
	b.Track(event("u", "Played", 0.1, `{"minutes":1}`))
	eventually(t, "the counters go on after a restart", check(4, 16))
	if watched.Load() == 0 {
		t.Error("nobody was told of a change")
	}
	b.Must("PUT", "/v1/attributes/plays", `{"kind":"counter","event":"Played"}`)
	b.Track(event("u", "Played", 0.1, `{"minutes":1}`))
	eventually(t, "the other counter counts", func() bool { return b.attributes("u")["minutes"] == 17.0 })
	if b.attributes("u")["plays"] != 4.0 {
		t.Errorf("a counter that was changed counts on before it is computed: %v", b.attributes("u"))
	}
	b.compute()
	if b.attributes("u")["plays"] != 8.0 {
		t.Errorf("the counter without a window is %v, want 8", b.attributes("u")["plays"])
	}
}

func TestRunComputesByItself(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	b.Track(event("u", "Order Completed", 3, `{"revenue":5}`))
	b.Stored()
	go func() { ended <- b.service.Run(ctx) }()
	eventually(t, "the first run", func() bool { return b.attributes("u")["orders"] == 1.0 })
	b.Must("PUT", "/v1/attributes/plays", `{"kind":"aggregate","event":"Order Completed"}`)
	eventually(t, "a run because of a definition", func() bool { return b.attributes("u")["plays"] == 1.0 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
}

// Conditions hold in memory where they hold in ClickHouse.
func TestConditionsAgree(t *testing.T) {
	t.Parallel()
	db := enginetest.ClickHouse(t)
	values := []string{`1`, `-2.5`, `0`, `"a"`, `"ab"`, `""`, `true`, `false`, `null`, `{}`, `{"b":1}`, `{"b":"a"}`, `[1]`, `1e3`, `12345678901234567890`}
	operands := []any{1.0, -2.5, 0.0, "a", "b", "", true, false, 1000.0}
	rapid.Check(t, func(rt *rapid.T) {
		properties := "{}"
		if rapid.IntRange(0, 5).Draw(rt, "there") > 0 {
			properties = fmt.Sprintf(`{"a":%s}`, rapid.SampledFrom(values).Draw(rt, "value"))
		}
		w := Where{Property: rapid.SampledFrom([]string{"a", "a.b", "c"}).Draw(rt, "path"), Is: rapid.SampledFrom([]string{"=", "!=", "<", "<=", ">", ">=", "contains", "exists"}).Draw(rt, "is")}
		if w.Is != "exists" {
			w.Value = rapid.SampledFrom(operands).Draw(rt, "operand")
		}
		if w.validate().Err() != nil {
			return
		}
		var parsed map[string]any
		if err := json.Unmarshal([]byte(properties), &parsed); err != nil {
			rt.Fatal(err)
		}
		var got uint8
		if err := db.Read.QueryRow(t.Context(), "SELECT toUInt8("+w.sql()+") FROM (SELECT ? AS properties) AS e", properties).Scan(&got); err != nil {
			rt.Fatal(err)
		}
		if want := w.holds(parsed); (got == 1) != want {
			rt.Fatalf("%+v of %s is %t in memory, %d in ClickHouse", w, properties, want, got)
		}
	})
}
