package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"quintet/decide"
	"quintet/decide/channels"
	"quintet/decide/delivery"
	"quintet/decide/outbound"
	"quintet/decide/templates"
	"quintet/recommend"
)

// openDelivery opens what sends messages and takes receipts.
func (a *app) openDelivery(ctx context.Context) error {
	seal, err := channels.LoadSeal(filepath.Join(a.cfg.DataDir, "credentials.key"))
	if err != nil {
		return fmt.Errorf("opening channels: %w", err)
	}
	public := a.cfg.PublicURL
	if public == "" {
		public = "http://" + a.cfg.Listen
	}
	people, now := a.profiles.Store(), a.pace.now
	if now == nil {
		now = time.Now
	}
	if a.delivery, err = delivery.Open(ctx, delivery.Deps{
		Logger: a.log, Definitions: a.definitions, Postgres: a.engines.Postgres, Seal: seal, People: people,
		Consent: outbound.NewJudge(people, a.decide, now), Known: deliveryNames{a.decide, a.catalogue}, Caps: a.decide, Quiet: a.decide.Quiet, Code: a.decide.Code, Note: a.profiles.WriteNotes, PublicURL: public, Now: a.pace.now,
		SetTrait: func(ctx context.Context, profile, trait string, value any) error {
			_, err := a.profiles.EditTraits(ctx, profile, map[string]any{trait: value})
			return err
		},
	}); err != nil {
		return fmt.Errorf("opening delivery: %w", err)
	}
	return nil
}

// deliveryNames tells package delivery of what messages name.
type deliveryNames struct {
	decide    *decide.Service
	catalogue *recommend.Service
}

// Channel implements [delivery.Definitions].
func (n deliveryNames) Channel(key string) (decide.Channel, bool) { return n.decide.Channel(key) }

// Offer implements [delivery.Definitions].
func (n deliveryNames) Offer(key string) (map[string]any, bool) {
	o, ok := n.decide.Offer(key)
	return o.Attributes, ok
}

// Items implements [delivery.Definitions].
func (n deliveryNames) Items(ids []string) []templates.Item {
	var out []templates.Item
	for _, id := range ids {
		v, ok := n.catalogue.Items().Get(id)
		if !ok {
			continue
		}
		address, _ := v.Value.Attributes["url"].(string)
		out = append(out, templates.Item{ID: id, Name: v.Value.Name, URL: address, Price: strconv.FormatFloat(v.Value.Price, 'f', -1, 64), Image: v.Value.ImageURL})
	}
	return out
}
