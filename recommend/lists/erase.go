package lists

import (
	"bytes"
	"context"
	"fmt"

	"quintet/internal/stream"
)

// mark is a record that holds no list and only marks a place in the stream.
var mark = []byte{0}

func isMark(data []byte) bool { return bytes.Equal(data, mark) }

// About finds the messages of the stream with lists for one of the profiles, when
// ClickHouse has everything before.
func (l *Log) About(ctx context.Context, profiles []string) ([]uint64, error) {
	end, err := l.marked(ctx)
	if err != nil {
		return nil, err
	}
	person := make(map[string]bool, len(profiles))
	for _, id := range profiles {
		person[id] = true
	}
	var found []uint64
	err = l.topic.Scan(ctx, end, func(m stream.Message) error {
		about := false
		if list, err := decode(m.Data); err == nil {
			about = person[list.ProfileID]
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

// Erase removes lists for the profiles from the stream and returns how many messages had
// some. The table is for the eraser; it has all of them by then.
func (l *Log) Erase(ctx context.Context, profiles []string) (int, error) {
	found, err := l.About(ctx, profiles)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	if _, err := l.topic.Erase(ctx, found); err != nil {
		return 0, err
	}
	_, err = l.marked(ctx) // the last sequence is one that can be read
	return len(found), err
}

// marked appends a mark and returns when ClickHouse has everything before it, with its
// sequence.
func (l *Log) marked(ctx context.Context) (uint64, error) {
	sequence, err := l.topic.Publish(ctx, mark)
	if err != nil {
		return 0, fmt.Errorf("marking the end of the stream of lists: %w", err)
	}
	return sequence, l.sink.WaitFor(ctx, sequence)
}
