package main

import (
	"context"
	"errors"
	"fmt"

	"quintet/decide"
	"quintet/models"
	"quintet/profiles"
)

// maxRounds bounds how often [app.settle] goes round: a decision may begin an event that
// begins a scenario, and so on, but what waits for a later moment does not.
const maxRounds = 50

// settle does everything that is due at the moment that the clock of the service shows,
// and waits until all stores have followed: the step of a clock that is moved by hand.
// Whatever one part does that another has to see, it goes round again for.
func (a *app) settle(ctx context.Context) error {
	for range maxRounds {
		before, err := a.appended(ctx)
		if err != nil {
			return err
		}
		if err := errors.Join(a.profiles.Flush(ctx), a.decide.Settle(ctx)); err != nil {
			return fmt.Errorf("waiting for the stores: %w", err)
		}
		if err := a.segments.Settle(ctx); err != nil {
			return fmt.Errorf("working out segments: %w", err)
		}
		moved, err := a.scenarios.Settle(ctx)
		if err != nil {
			return err
		}
		if err := a.campaigns.Settle(ctx); err != nil {
			return fmt.Errorf("working on campaigns: %w", err)
		}
		handed, err := a.outbox.Settle(ctx)
		if err != nil {
			return err
		}
		if err := a.delivery.Settle(ctx); err != nil {
			return fmt.Errorf("sending messages: %w", err)
		}
		after, err := a.appended(ctx)
		if err != nil {
			return err
		}
		if after == before && moved == 0 && handed == 0 {
			return nil
		}
	}
	return fmt.Errorf("after %d rounds there is still something to do at the same moment", maxRounds)
}

// learn brings the models of all decision points up to what the log has.
func (a *app) learn(ctx context.Context) error {
	for _, spec := range a.policies.Specs() {
		if err := a.models.Update(ctx, spec); err != nil && !errors.Is(err, models.ErrNoData) {
			return fmt.Errorf("learning the model of %s: %w", spec.DecisionPoint, err)
		}
		if _, err := a.models.Advance(ctx, spec); err != nil {
			return fmt.Errorf("learning the model of %s: %w", spec.DecisionPoint, err)
		}
	}
	return nil
}

// appended are the ends of both streams.
func (a *app) appended(ctx context.Context) (ends [2]uint64, err error) {
	for i, name := range []string{profiles.Topic, decide.Topic} {
		topic, err := a.engines.Stream.Topic(ctx, name)
		if err == nil {
			_, ends[i], _, err = topic.State(ctx)
		}
		if err != nil {
			return ends, fmt.Errorf("reading the end of the stream %s: %w", name, err)
		}
	}
	return ends, nil
}
