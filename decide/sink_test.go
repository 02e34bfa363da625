package decide

import (
	"testing"
	"time"

	"quintet/internal/stream"
)

// A row says when the decision was received, which is the stream's time, and where
// it lies in the stream; a range that comes again adds nothing, and what cannot be
// read is passed over.
func TestStoreKeepsWhereAndWhenItWasReceived(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	decided := time.Now().UTC().Add(-72 * time.Hour).Truncate(time.Millisecond)
	received := decided.Add(71*time.Hour + 7*time.Millisecond)
	var batch stream.Batch
	batch.Topic, batch.From, batch.To = Topic, 5, 6
	for i, key := range []string{"hero", "footer", "hero"} {
		data, err := encodeRecord(&Record{DecisionID: newDecisionID(decided), DecidedAt: decided, Decision: key, ProfileID: "p", Candidates: []string{"a", "b"},
			Probabilities: []float64{0.25, 0.75}, Experiments: []Enrolment{{Key: "e", Variant: "v", Version: 3}}})
		if err != nil {
			t.Fatal(err)
		}
		batch.Messages = append(batch.Messages, stream.Message{Sequence: 5, Index: i, Time: received, Data: data})
	}
	batch.Messages = append(batch.Messages, stream.Message{Sequence: 6, Time: received, Data: []byte("nonsense")})
	for range 2 {
		if err := w.store(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	var rows, right, exposures uint64
	if err := w.db.Read.QueryRow(t.Context(), `SELECT count(), countIf(decided_at = fromUnixTimestamp64Milli(?) AND received_at = fromUnixTimestamp64Milli(?)
		AND send_at = decided_at AND sequence = 5 AND candidates = ['a', 'b'] AND probabilities = [0.25, 0.75] AND experiment_versions = [3]) FROM decisions`,
		decided.UnixMilli(), received.UnixMilli()).Scan(&rows, &right); err != nil {
		t.Fatal(err)
	}
	if err := w.db.Read.QueryRow(t.Context(), "SELECT count() FROM exposures WHERE received_at = fromUnixTimestamp64Milli(?)", received.UnixMilli()).Scan(&exposures); err != nil {
		t.Fatal(err)
	}
	if rows != 3 || right != 3 || exposures != 3 {
		t.Errorf("%d rows, %d of them right, %d exposures", rows, right, exposures)
	}
}
