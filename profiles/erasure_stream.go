package profiles

import (
	"bytes"
	"context"
	"fmt"

	"quintet/internal/stream"
	"quintet/profiles/identity"
)

// mark appends a record without messages and returns its sequence: whoever has reached
// it has everything before, and a stream that ends in it can be read to its end.
func (s *Service) mark(ctx context.Context) (uint64, error) {
	var e encoder
	e.begin(recordHeader{received: s.now().UnixMilli(), source: NoteSource})
	sequence, err := s.topic.Publish(ctx, e.bytes())
	if err != nil {
		return 0, fmt.Errorf("marking the end of the stream of events: %w", publishProblem(err))
	}
	return sequence, nil
}

// settleStream returns when both stores and memory have everything that was
// acknowledged so far.
func (s *Service) settleStream(ctx context.Context) error {
	end, err := s.mark(ctx)
	if err != nil {
		return err
	}
	if err := s.projector.waitFor(ctx, end); err != nil {
		return err
	}
	return s.sink.WaitFor(ctx, end)
}

// eraseStream removes the messages of the stream that hold something of the person.
// What they hold of others is in the stores already. It returns how many there were.
func (s *Service) eraseStream(ctx context.Context, sub *ErasureSubject) (n int64, single bool, err error) {
	found, err := s.findInStream(ctx, sub)
	if err != nil {
		return 0, false, err
	}
	if single, err = s.topic.Erase(ctx, found); err != nil {
		return 0, single, err
	}
	if len(found) > 0 {
		// A restart reads up to the last sequence: it must be one that is there.
		if _, err := s.mark(ctx); err != nil {
			return 0, single, err
		}
	}
	return int64(len(found)), single, nil
}

// findInStream are the sequences of the messages that hold something of the person.
func (s *Service) findInStream(ctx context.Context, sub *ErasureSubject) ([]uint64, error) {
	end, err := s.mark(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.sink.WaitFor(ctx, end); err != nil {
		return nil, err
	}
	if err := s.projector.waitFor(ctx, end); err != nil {
		return nil, err
	}
	about := newRecordSearch(sub)
	var found []uint64
	err = s.topic.Scan(ctx, end, func(m stream.Message) error {
		if about.in(m.Data) && (len(found) == 0 || found[len(found)-1] != m.Sequence) {
			found = append(found, m.Sequence)
		}
		return nil
	})
	return found, err
}

// recordSearch finds the records of the stream that hold something of a person.
type recordSearch struct {
	profiles    map[identity.ID]bool
	identifiers map[Identifier]bool
	raw         [][]byte
	entries     []identity.Entry
}

func newRecordSearch(sub *ErasureSubject) *recordSearch {
	r := &recordSearch{profiles: map[identity.ID]bool{}, identifiers: map[Identifier]bool{}, raw: rawNeedles(sub)}
	for _, id := range sub.IDs() {
		r.profiles[id] = true
	}
	for _, i := range sub.Identifiers {
		r.identifiers[i] = true
		r.profiles[identity.NewID(i)] = true // of a device, in entries
	}
	return r
}

func (r *recordSearch) in(data []byte) bool {
	var h recordHeader
	var it item
	d, err := decodeRecord(data, &h)
	for i := 0; err == nil && i < h.items; i++ {
		if err = d.next(&h, &it); err == nil && r.item(&it) {
			return true
		}
	}
	if err == nil {
		r.entries, err = d.entries(&h, r.entries)
		for i := range r.entries {
			if r.profiles[r.entries[i].A] || r.profiles[r.entries[i].B] {
				return true
			}
		}
	}
	if err == nil {
		return false
	}
	for _, needle := range r.raw { // what cannot be read may hold anything
		if bytes.Contains(data, needle) {
			return true
		}
	}
	return false
}

func (r *recordSearch) item(it *item) bool {
	if r.profiles[it.profile] || it.userID != "" && r.identifiers[Identifier{Namespace: identity.UserID, Value: it.userID}] ||
		it.anonymousID != "" && r.identifiers[Identifier{Namespace: identity.AnonymousID, Value: it.anonymousID}] {
		return true
	}
	for _, link := range it.links {
		if r.identifiers[link] {
			return true
		}
	}
	return false
}
