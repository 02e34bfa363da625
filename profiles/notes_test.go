package profiles

import (
	"testing"
	"time"

	"quintet/internal/stream"
	"quintet/profiles/identity"
)

func TestNotesReachClickHouseAndAreNoSignOfLife(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.call("POST", "/v1/track", `{"userId":"u1","event":"Viewed","timestamp":"2026-01-02T03:04:05Z"}`)
	b.flush()
	id := identity.NewID(Identifier{Namespace: identity.UserID, Value: "u1"})
	before, ok := b.service.Store().Get(id)
	if !ok {
		t.Fatal("no profile")
	}
	n := Note{Profile: id, Event: "Lifecycle Changed", MessageID: "note-1", Time: time.Now(), Properties: map[string]any{"from": "repeat", "to": "loyal", "decisionId": "d1"}}
	for range 2 {
		if err := b.service.WriteNotes(t.Context(), []Note{n}); err != nil {
			t.Fatal(err)
		}
	}
	b.flush()
	after, _ := b.service.Store().Get(id)
	if !after.LastSeenAt.Equal(before.LastSeenAt) || after.Events != before.Events {
		t.Errorf("a note moved the sight from %v to %v and the events from %d to %d", before.LastSeenAt, after.LastSeenAt, before.Events, after.Events)
	}
	var count uint64
	var to, source, decision string
	if err := b.clickhouse.Read.QueryRow(t.Context(), `SELECT count(), any(JSONExtractString(properties, 'to')), any(source), any(decision_id) FROM events FINAL
		WHERE event = 'Lifecycle Changed' AND profile_id = ?`, id.String()).Scan(&count, &to, &source, &decision); err != nil {
		t.Fatal(err)
	}
	if count != 1 || to != "loyal" || source != NoteSource || decision != "d1" {
		t.Errorf("%d notes to %q from %q of decision %q", count, to, source, decision)
	}
	if b.service.Stored() < 3 {
		t.Errorf("ClickHouse is at %d", b.service.Stored())
	}
}
