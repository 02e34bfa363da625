package profiles

import (
	"context"
	"fmt"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/profiles/identity"
)

// Erase removes every trace of profiles from what segments keep: history and
// memberships in memory, and their rows in ClickHouse, whose parts are written
// anew. Nobody is told that they left. It is called after the profiles were removed
// from the store and from the log, and can be called again.
func (s *Segments) Erase(ctx context.Context, profiles []identity.ID) error {
	if len(profiles) == 0 {
		return nil
	}
	for _, id := range profiles {
		s.erase(id)
	}
	if err := s.profiles.NameErased(ctx, profiles); err != nil {
		return err
	}
	ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{"mutations_sync": 2}))
	for _, table := range []string{segmentTables.People, segmentTables.Members} {
		if err := s.clickhouse.Read.Exec(ctx, "ALTER TABLE "+table+" DELETE WHERE person_id IN (SELECT id FROM erasing)"); err != nil {
			return fmt.Errorf("erasing from the table %s: %w", table, err)
		}
	}
	return nil
}

// erase forgets a profile in memory.
func (s *Segments) erase(id identity.ID) {
	lock := &s.locks[id[0]%storeShards]
	lock.Lock()
	defer lock.Unlock()
	s.pending.mu.Lock()
	delete(s.pending.people, id)
	s.pending.mu.Unlock()
	s.people.mu.Lock()
	delete(s.people.changed, id)
	s.people.mu.Unlock()
	sh := s.histories.shard(id)
	sh.mu.Lock()
	for _, one := range sh.people[id] {
		s.histories.total.Add(-int64(len(one.occurrences)))
	}
	delete(sh.people, id)
	sh.mu.Unlock()
	s.members.erase(id)
}

// erase takes a person out of every set. The place in the order of people stays,
// with nobody in it.
func (m *memberships) erase(id identity.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, known := m.ordinals[id]
	if !known {
		return
	}
	for _, b := range m.sets {
		if int(i/64) < len(b.words) && b.words[i/64]&(1<<(i%64)) != 0 {
			b.words[i/64] &^= 1 << (i % 64)
			b.count--
		}
	}
	delete(m.ordinals, id)
	m.ids[i] = identity.ID{}
}
