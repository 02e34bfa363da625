package profiles

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"quintet/internal/stream"
)

func (b *bed) execute(statement string) {
	b.t.Helper()
	if _, err := b.postgres.Exec(b.t.Context(), statement); err != nil {
		b.t.Fatalf("%s: %v", statement, err)
	}
}

func (b *bed) send(from, to int) {
	b.t.Helper()
	for i := from; i < to; i++ {
		body := fmt.Sprintf(`{"batch":[{"type":"identify","userId":"u%d","messageId":"i%d","traits":{"n":%d}},{"type":"track","event":"E","userId":"u%d","messageId":"t%d"}]}`, i, i, i, i, i)
		if status, out := b.call("POST", "/v1/batch", body); status != 200 || out["accepted"] != 2.0 {
			b.t.Fatalf("%d %v", status, out)
		}
	}
}

func eventually(t testing.TB, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !true(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 15 s", what)
		}
	}
}

// While Postgres refuses every write, calls are taken and memory goes on up to
// its bound; afterwards Postgres has everything.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	p := b.service.projector
	p.mu.Lock()
	p.limit = 100
	p.mu.Unlock()
	b.send(0, 10)
	b.flush()
	b.execute("ALTER TABLE profile_positions RENAME TO away")
	b.send(10, 200)
	eventually(t, "memory is at its bound", func() bool { return b.service.Store().Len() >= 60 })
	time.Sleep(100 * time.Millisecond)
	if n := b.service.Store().Len(); n > 120 {
		t.Errorf("%d profiles are in memory, beyond the bound", n)
	}
	eventually(t, "the lag is told", func() bool {
		messages, age, err := b.service.ProfilesLag(t.Context())
		return err == nil && messages >= 100 && age > 0
	})
	b.execute("ALTER TABLE away RENAME TO profile_positions")
	b.flush()
	if n := b.service.Store().Len(); n != 200 {
		t.Errorf("%d profiles in memory", n)
	}
	var rows, events int
	if err := b.postgres.QueryRow(t.Context(), "SELECT count(*), sum(events) FROM profiles").Scan(&rows, &events); err != nil || rows != 200 || events != 400 {
		t.Errorf("%d profiles with %d events in Postgres, %v", rows, events, err)
	}
	if messages, _, err := b.service.ProfilesLag(t.Context()); err != nil || messages != 0 {
		t.Errorf("lag %d, %v", messages, err)
	}
	before := snapshot(b)
	b.open()
	if after := snapshot(b); after != before {
		t.Errorf("after a restart: %s", firstDifference(after, before))
	}
}

// While ClickHouse refuses inserts, calls are taken; afterwards it has every
// event once.
func TestClickHouseAway(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.send(0, 10)
	b.flush()
	rename := func(pairs ...string) {
		t.Helper()
		for _, pair := range pairs {
			if err := b.clickhouse.Read.Exec(t.Context(), "RENAME TABLE "+pair); err != nil {
				t.Fatal(err)
			}
		}
	}
	rename("events TO away", "timeline TO away_timeline")
	b.send(10, 60)
	eventually(t, "the store was tried in vain", func() bool { return b.service.sink.Stats().Retries > 0 })
	// A profile can be read all the same, and says what is missing.
	status, p := b.call("GET", "/v1/profiles/userId:u5", "")
	if status != 200 || p["traits"].(map[string]any)["n"] != 5.0 || fmt.Sprint(p["missing"]) != "[events]" {
		t.Errorf("%d %v", status, p)
	}
	rename("away TO events", "away_timeline TO timeline")
	b.flush()
	// An insert that broke off between the table and a view on it.
	tried := b.service.sink.Stats().Retries
	rename("timeline TO away")
	b.send(60, 70)
	eventually(t, "the store was tried in vain again", func() bool { return b.service.sink.Stats().Retries > tried })
	rename("away TO timeline")
	b.flush()
	if rows, distinct := b.count("SELECT count() FROM timeline"), b.count("SELECT uniqExact(message_id) FROM timeline"); rows != 140 || distinct != 140 {
		t.Errorf("%d rows in the timeline, %d distinct", rows, distinct)
	}
	if rows, distinct := b.count("SELECT count() FROM events"), b.count("SELECT uniqExact(message_id) FROM events"); rows != 140 || distinct != 140 {
		t.Errorf("%d rows, %d distinct", rows, distinct)
	}
}

// A record that nobody can read does not hold up those behind it.
func TestUnreadableRecordsAreSetAside(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	for _, data := range []string{"garbage", string([]byte{recordVersion, 5, 0, 0, 0, 0, 0, 0}), string([]byte{99}) + strings.Repeat("x", 20)} {
		if _, err := b.service.topic.Publish(t.Context(), []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	b.send(0, 3)
	b.flush()
	if rows := b.count("SELECT count() FROM events"); rows != 6 || b.service.Store().Len() != 3 {
		t.Errorf("%d rows, %d profiles", rows, b.service.Store().Len())
	}
	var kept int
	if err := b.postgres.QueryRow(t.Context(), "SELECT count(*) FROM rejected_records WHERE reason <> '' AND length(payload) > 0").Scan(&kept); err != nil || kept != 6 {
		t.Errorf("%d records kept by two readers, want 6, %v", kept, err)
	}
	// One message of the stream may be several records: none is lost by the other.
	b.service.refuse(t.Context(), "events", 9, []byte("a bad one"), errors.New("bad"))
	b.service.refuse(t.Context(), "events", 9, []byte("another bad one"), errors.New("bad"))
	b.service.refuse(t.Context(), "events", 9, []byte("another bad one"), errors.New("bad")) // the same
	if err := b.postgres.QueryRow(t.Context(), "SELECT count(*) FROM rejected_records WHERE sequence = 9").Scan(&kept); err != nil || kept != 2 {
		t.Errorf("of two bad records of one message %d are kept, %v", kept, err)
	}
	// What was discarded does not come back when the stream is read again.
	b.execute("DELETE FROM rejected_records")
	b.open()
	b.flush()
	if err := b.postgres.QueryRow(t.Context(), "SELECT count(*) FROM rejected_records").Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d records came back after a restart, %v", kept, err)
	}
}
