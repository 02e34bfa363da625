package main

import (
	"context"
	"fmt"

	"quintet/decide/campaigns"
	"quintet/decide/outbound"
	"quintet/decide/scenarios"
)

// openOutbound opens what contacts people who did not ask. Messages go to the queue;
// without one they stay in the outbox.
func (a *app) openOutbound(ctx context.Context, queue outbound.Queue) (err error) {
	people := a.profiles.Store()
	hasPurpose := func(key string) bool { return people.ConsentRules().Known(key) }
	a.outbox = outbound.NewOutbox(a.engines.Postgres, queue, a.log, a.pace.now)
	if a.campaigns, err = campaigns.Open(campaigns.Deps{
		Logger: a.log, Definitions: a.definitions, Postgres: a.engines.Postgres, People: people, Segments: a.segments, Decider: a.decide,
		Outbox: a.outbox, HasSegment: a.segments.Has, HasPurpose: hasPurpose, Now: a.pace.now,
	}); err != nil {
		return fmt.Errorf("opening campaigns: %w", err)
	}
	if a.scenarios, err = scenarios.Open(ctx, scenarios.Deps{
		Logger: a.log, Definitions: a.definitions, Postgres: a.engines.Postgres, Events: scenarios.Log{Database: a.engines.ClickHouse, Position: a.profiles.Stored, Now: a.pace.now},
		People: people, Segments: a.segments, Decider: a.decide, Outbox: a.outbox, HasSegment: a.segments.Has, HasPurpose: hasPurpose, Now: a.pace.now,
	}); err != nil {
		return fmt.Errorf("opening scenarios: %w", err)
	}
	a.profiles.Observe(a.scenarios.Listen())
	return nil
}
