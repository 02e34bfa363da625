package decide

import (
	"bytes"
	"context"
	"fmt"
	"unsafe"

	"quintet/internal/stream"
	"quintet/profiles"
)

// markVersion is the one byte of a record that holds no decision and only marks a place
// in the stream.
const markVersion = 0

func isMark(data []byte) bool { return len(data) == 1 && data[0] == markVersion }

// mark appends a record without a decision and returns when ClickHouse has everything
// before it, with its sequence.
func (s *Service) mark(ctx context.Context) (uint64, error) {
	sequence, err := s.topic.Publish(ctx, []byte{markVersion})
	if err != nil {
		return 0, fmt.Errorf("marking the end of the stream of decisions: %w", err)
	}
	return sequence, s.sink.WaitFor(ctx, sequence)
}

// Erase is part of [profiles.ErasurePart]: it removes decisions about the person from
// memory and from the stream. Whose decisions the table holds is for the eraser; here it
// waits until the table has all of them.
func (s *Service) Erase(ctx context.Context, sub *profiles.ErasureSubject) (map[string]int64, error) {
	removed := map[string]int64{}
	if n := s.recent.erase(sub.Texts()); n > 0 {
		removed["memory decisions"] = int64(n)
	}
	s.answers.forget() // which people they are about cannot be told
	if n := s.contactsHeld.Forget(sub.Texts()); n > 0 {
		removed["memory contacts"] = int64(n)
	}
	units := sub.Texts()
	for _, id := range sub.Identifiers {
		units = append(units, id.Value)
	}
	n, err := s.eraseKept(ctx, units)
	if err != nil {
		return nil, err
	}
	if s.pool != nil {
		removed["postgres kept_variants"] = n
	}
	found, err := s.findInStream(ctx, sub)
	if err != nil {
		return nil, err
	}
	if _, err := s.topic.Erase(ctx, found); err != nil {
		return nil, err
	}
	if len(found) > 0 {
		removed["stream "+Topic] = int64(len(found))
		if _, err := s.mark(ctx); err != nil { // the last sequence is one that can be read
			return nil, err
		}
	}
	return removed, nil
}

// Check is part of [profiles.ErasurePart].
func (s *Service) Check(ctx context.Context, sub *profiles.ErasureSubject) ([]profiles.ErasureCheck, error) {
	found, err := s.findInStream(ctx, sub)
	if err != nil {
		return nil, err
	}
	memory := profiles.ErasureCheck{Store: "memory", What: "decisions"}
	for _, id := range sub.Texts() {
		list, _ := s.recent.list(&Filter{ProfileID: id, Limit: recentRecords})
		memory.Rows += int64(len(list))
	}
	return []profiles.ErasureCheck{memory, {Store: "stream", What: Topic, Rows: int64(len(found))}}, nil
}

// findInStream are the messages of the stream with decisions about the person.
func (s *Service) findInStream(ctx context.Context, sub *profiles.ErasureSubject) ([]uint64, error) {
	end, err := s.mark(ctx)
	if err != nil {
		return nil, err
	}
	person := map[string]bool{}
	for _, id := range sub.Texts() {
		person[id] = true
	}
	var found []uint64
	var r row
	err = s.topic.Scan(ctx, end, func(m stream.Message) error {
		about := false
		if err := r.decode(unsafe.String(unsafe.SliceData(m.Data), len(m.Data))); err == nil {
			about = person[r.ProfileID]
		} else if !isMark(m.Data) { // what cannot be read may hold anything
			for id := range person {
				about = about || bytes.Contains(m.Data, []byte(id))
			}
		}
		if about && (len(found) == 0 || found[len(found)-1] != m.Sequence) {
			found = append(found, m.Sequence)
		}
		return nil
	})
	return found, err
}
