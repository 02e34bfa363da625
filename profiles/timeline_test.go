package profiles

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/enginetest"
	"quintet/internal/stream"
)

// The order of the people has what the log has: each message once, by whatever range of
// the stream it came and however often that was stored.
func TestTimelineHasTheEvents(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	var messages []map[string]any
	for i := range 200 {
		messages = append(messages, map[string]any{
			"type": "track", "event": []string{"Viewed", "Added", "Ordered"}[i%3], "userId": fmt.Sprint("u", i%7), "messageId": fmt.Sprint("m-", i),
			"timestamp": time.Now().AddDate(0, 0, -5*i).UTC().Format(time.RFC3339Nano), "properties": map[string]any{"n": i},
		})
	}
	body, err := json.Marshal(map[string]any{"batch": messages})
	if err != nil {
		t.Fatal(err)
	}
	b.must("good", http.MethodPost, "/v1/batch", string(body))
	b.flush()
	same := func(when string) {
		t.Helper()
		const columns = "profile_id, timestamp, event, message_id, type, user_id, anonymous_id, received_at, decision_id, properties, traits, context, source, sequence, item"
		var events, timeline uint64
		var a, z string
		if err := b.clickhouse.Read.QueryRow(t.Context(), "SELECT count(), toString(sum(cityHash64("+columns+"))) FROM events FINAL WHERE profile_id != ''").Scan(&events, &a); err != nil {
			t.Fatal(err)
		}
		if err := b.clickhouse.Read.QueryRow(t.Context(), "SELECT count(), toString(sum(cityHash64("+columns+"))) FROM timeline FINAL").Scan(&timeline, &z); err != nil {
			t.Fatal(err)
		}
		if events != 200 || timeline != events || a != z {
			t.Errorf("%s: %d events and %d in the timeline; sums %s and %s", when, events, timeline, a, z)
		}
	}
	same("stored")

	// The same range again, as after a crash.
	who, ok := b.service.find("userId:u1")
	if !ok {
		t.Fatal("the profile is missing")
	}
	var e encoder
	e.begin(recordHeader{received: time.Now().UnixMilli(), source: "key-1"})
	e.add(&item{messageID: "again", event: "Viewed", profile: who, time: time.Now().UnixMilli()})
	batch := stream.Batch{Topic: Topic, From: 900_000, To: 900_001, Messages: []stream.Message{{Sequence: 900_000, Data: e.bytes()}}}
	for range 2 {
		if err := b.service.storeEvents(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.count("SELECT count() FROM timeline WHERE message_id = 'again'"); n != 1 {
		t.Errorf("a range that was stored twice left %d rows", n)
	}

	// The newest come first, and a message that is there twice counts once.
	p, err := b.service.Profile(t.Context(), "userId:u1")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Events) != 30 || p.Events[0].MessageID != "again" || !slices.IsSortedFunc(p.Events, func(a, b ProfileEvent) int { return b.Timestamp.Compare(a.Timestamp) }) {
		t.Errorf("%d events: %+v", len(p.Events), p.Events)
	}
	if err := b.clickhouse.Read.Exec(t.Context(), "INSERT INTO timeline SELECT * FROM timeline"); err != nil {
		t.Fatal(err)
	}
	twice, err := b.service.Profile(t.Context(), "userId:u1")
	if err != nil || fmt.Sprint(twice.Events) != fmt.Sprint(p.Events) {
		t.Errorf("with each row twice: %+v, %v", twice.Events, err)
	}
	// However many there are, which decides how they are read.
	for _, total := range []uint64{unsorted, unsorted + 1, manyEvents} {
		if events, err := b.service.latestEvents(t.Context(), []string{p.ProfileID}, total, 7); err != nil || fmt.Sprint(events) != fmt.Sprint(p.Events[:7]) {
			t.Errorf("read as one of %d events: %+v, %v", total, events, err)
		}
	}
}

// An installation from before has its events in the order of the people after a start,
// also when the start broke off and was done again.
func TestTimelineTakesOverOldEvents(t *testing.T) {
	t.Parallel()
	db := enginetest.ClickHouse(t)
	all := ClickHouseMigrations()
	before := fstest.MapFS{}
	names, err := fs.Glob(all.Files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if text, err := fs.ReadFile(all.Files, name); err != nil {
			t.Fatal(err)
		} else if name < "00080" {
			before[name] = &fstest.MapFile{Data: text}
		}
	}
	exposures := clickhouse.MigrationSet{Name: "experiments", Files: os.DirFS("../experiments/migrations/clickhouse")}
	if err := db.Migrate(t.Context(), exposures, clickhouse.MigrationSet{Name: all.Name, Files: before}); err != nil {
		t.Fatal(err)
	}
	if err := db.Read.Exec(t.Context(), `INSERT INTO events (message_id, type, event, profile_id, timestamp, received_at, properties, traits, context)
		SELECT toString(number), 'track', 'Viewed', if(number % 10 = 0, '', toString(number % 100)), toDateTime64('2026-06-15 01:00:00', 3, 'UTC') - toIntervalDay(number), now(), '{}', '{}', '{}'
		FROM numbers(3000) SETTINGS max_partitions_per_insert_block = 0`); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	// As if it had broken off before it was noted as done.
	text, err := fs.ReadFile(all.Files, "00080_timeline.sql")
	if err != nil {
		t.Fatal(err)
	}
	up, _, _ := strings.Cut(string(text), "-- +goose Down")
	for _, statement := range strings.Split(up, ";\n") {
		if strings.Contains(statement, "timeline") {
			if err := db.Read.Exec(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	var rows, distinct uint64
	if err := db.Read.QueryRow(t.Context(), "SELECT count(), uniqExact(message_id) FROM timeline FINAL").Scan(&rows, &distinct); err != nil || rows != 2700 || distinct != rows {
		t.Errorf("%d rows of %d messages, %v", rows, distinct, err)
	}
	cards, err := db.Texts(t.Context(), "SELECT card FROM timeline WHERE profile_id = '7' AND message_id = '107' "+readNow, nil)
	if err != nil || len(cards) == 0 {
		t.Fatalf("%d cards, %v", len(cards), err)
	}
	if e, err := readEvent(cards[0]); err != nil || e.MessageID != "107" || e.Event != "Viewed" || e.Timestamp.Format(time.DateTime) != "2026-02-28 01:00:00" {
		t.Errorf("an event from before is shown as %+v, %v", e, err)
	}
}
