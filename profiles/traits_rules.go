package profiles

import (
	"context"
	"fmt"
	"time"

	"quintet/internal/definitions"
	"quintet/profiles/identity"
	"quintet/profiles/traits"
)

// TraitKind is the kind of trait declarations among the definitions.
const TraitKind = "traits"

// Sources names the sources of facts.
type Sources interface {
	// KeyIDs are the ids of the API keys with a name.
	KeyIDs(name string) []string
	// KeyName is the name of the API key with an id, "" when there is none.
	KeyName(id string) string
}

// openTraits loads the declarations of traits and follows them. Facts that come in
// are chosen from by the new rules at once; those in memory are chosen from again
// by [Service.rechoose].
func (s *Service) openTraits(store *definitions.Store) error {
	if store == nil {
		return nil
	}
	var err error
	if s.traits, err = definitions.NewCollection(store, TraitKind, traits.ValidateDeclaration); err != nil {
		return fmt.Errorf("loading the declarations of traits: %w", err)
	}
	s.compileTraits()
	s.traits.OnChange(func() {
		s.compileTraits()
		select {
		case s.rulesChanged <- struct{}{}:
		default: // it is going to look anyway
		}
	})
	return nil
}

func (s *Service) compileTraits() {
	declarations := map[string]traits.Declaration{}
	for name, v := range s.traits.Snapshot() {
		declarations[name] = v.Value
	}
	var ids func(string) []string
	if s.sources != nil {
		ids = s.sources.KeyIDs
	}
	s.store.rules.Store(traits.Compile(declarations, ids))
}

// rechoose applies changed rules to everybody in memory, until ctx ends.
func (s *Service) rechoose(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.rulesChanged:
		}
		started := time.Now()
		if changed := s.projector.rechoose(ctx); changed > 0 {
			s.log.Info("golden records follow changed declarations", "profiles", changed, "seconds", time.Since(started).Seconds())
		}
	}
}

// rechooseChunk is how many profiles are looked at before others get a turn.
const rechooseChunk = 256

// rechoose applies the current rules to all profiles and returns how many golden
// records changed. Postgres has them with the next save, observers with the next
// batch.
func (p *projector) rechoose(ctx context.Context) (changed int) {
	var ids []identity.ID
	for i := range p.store.shards {
		sh := &p.store.shards[i]
		ids = ids[:0]
		sh.mu.RLock()
		for id := range sh.people {
			ids = append(ids, id)
		}
		sh.mu.RUnlock()
		for from := 0; from < len(ids) && ctx.Err() == nil; from += rechooseChunk {
			if p.room(ctx) != nil {
				return changed
			}
			changed += p.rechooseSome(sh, ids[from:min(from+rechooseChunk, len(ids))])
		}
	}
	return changed
}

func (p *projector) rechooseSome(sh *shard, ids []identity.ID) (changed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	rules := p.store.rules.Load()
	for _, id := range ids {
		st, there := sh.people[id]
		if !there || !st.record.Rechoose(rules) {
			continue
		}
		changed++
		p.changes.mark(st, dirtCard)
		p.changes.rechosen = true
		if len(p.observers) > 0 {
			p.rechosen = append(p.rechosen, id)
		}
	}
	return changed
}

// showRechosen hands profiles over to the observers whose golden record changed
// without a message.
func (p *projector) showRechosen() {
	for _, id := range p.rechosen {
		p.observed.changes = append(p.observed.changes, Change{Profile: id, Person: p.store.PersonOf(id), Sequence: p.applied, TraitsChanged: true})
		p.observed.places = append(p.observed.places, -1)
	}
	p.rechosen = p.rechosen[:0]
}
