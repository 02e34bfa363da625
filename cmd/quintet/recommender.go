package main

import (
	"context"
	"strings"
	"time"

	"quintet/decide"
	"quintet/profiles"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
	"quintet/recommend"
	"quintet/recommend/lists"
)

// recommendedPerson finds the person whom a caller of the recommendations names. A
// text without a namespace is a profile's id, or else a user id.
func (a *app) recommendedPerson(text string) (string, error) {
	store := a.profiles.Store()
	if id, ok := identity.ParseID(text); ok {
		return store.PersonOf(id).String(), nil
	}
	if !strings.Contains(text, ":") {
		text = "userId:" + text
	}
	identifier, err := identity.Parse(text)
	if err != nil {
		return "", err
	}
	if store.Erased([]profiles.Identifier{identifier}) {
		return "", nil // nobody, and so is their list
	}
	id, _ := identity.ParseID(store.Resolve([]profiles.Identifier{identifier}))
	return store.PersonOf(id).String(), nil
}

// interactionsSeen shows the recommender what people do as it is projected.
type interactionsSeen struct{ recommend *recommend.Service }

// Applied implements [profiles.Observer].
func (i interactionsSeen) Applied(changed []profiles.Change) {
	for n := range changed {
		c := &changed[n]
		if c.Event == nil || c.Event.Type != tracking.Track || c.Event.Again {
			continue
		}
		i.recommend.Saw(c.Person.String(), c.Event.Name, time.UnixMilli(c.Event.Time), strings.Clone(c.Event.Properties))
	}
}

// recommenderErase has the recommender forget a person: models know items only. Of the
// lists that were given it removes those on their way; the log is for the eraser.
type recommenderErase struct {
	recommend *recommend.Service
	lists     *lists.Log
}

// Erase implements [profiles.ErasurePart].
func (e recommenderErase) Erase(ctx context.Context, sub *profiles.ErasureSubject) (map[string]int64, error) {
	n := int64(0)
	for _, id := range sub.IDs() {
		n += int64(e.recommend.Remembered(id.String()))
		e.recommend.Forget(id.String())
	}
	removed := map[string]int64{"memory recommendations": n}
	found, err := e.lists.Erase(ctx, sub.Texts())
	if found > 0 {
		removed["stream "+lists.Topic] = int64(found)
	}
	return removed, err
}

// Check implements [profiles.ErasurePart].
func (e recommenderErase) Check(ctx context.Context, sub *profiles.ErasureSubject) ([]profiles.ErasureCheck, error) {
	check := profiles.ErasureCheck{Store: "memory", What: "recommendations"}
	for _, id := range sub.IDs() {
		check.Rows += int64(e.recommend.Remembered(id.String()))
	}
	found, err := e.lists.About(ctx, sub.Texts())
	return []profiles.ErasureCheck{check, {Store: "stream", What: lists.Topic, Rows: int64(len(found))}}, err
}

// slotItems lets decisions fill offers with recommended items.
type slotItems struct {
	recommend *recommend.Service
	store     *profiles.Store
}

// Recommend implements [decide.Recommender].
func (s slotItems) Recommend(profileID, slot string, limit int) []decide.Item {
	person := profileID
	if id, ok := identity.ParseID(profileID); ok {
		person = s.store.PersonOf(id).String()
	}
	list, err := s.recommend.Recommend(context.Background(), recommend.Query{Person: person, Placement: slot, Limit: limit})
	if err != nil {
		return nil // there is no such slot
	}
	items := make([]decide.Item, len(list.Items))
	for i, r := range list.Items {
		items[i] = decide.Item{ID: r.ID, Score: r.Score, Reason: r.Reason}
	}
	return items
}
