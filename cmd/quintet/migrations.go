package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"quintet/decide"
	"quintet/decide/campaigns"
	"quintet/decide/delivery"
	"quintet/decide/outbound"
	"quintet/decide/scenarios"
	"quintet/experiments"
	"quintet/internal/audit"
	"quintet/internal/auth"
	"quintet/internal/definitions"
	"quintet/internal/engines"
	"quintet/internal/postgres"
	"quintet/models"
	"quintet/models/predict"
	"quintet/profiles"
	"quintet/profiles/attributes"
	"quintet/profiles/experience"
	"quintet/profiles/quality"
	"quintet/recommend"
	"quintet/recommend/lists"
)

// migrate brings both databases to the schema of this version. The order
// matters in ClickHouse: views of a later set write into tables of an earlier one.
func migrate(ctx context.Context, e *engines.Engines) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := postgres.Migrate(ctx, e.Postgres, definitions.Migrations(), auth.Migrations(), audit.Migrations(), profiles.PostgresMigrations(), quality.PostgresMigrations(), models.PostgresMigrations(), predict.PostgresMigrations(), decide.PostgresMigrations(), outbound.Migrations(), delivery.Migrations(), campaigns.Migrations(), scenarios.Migrations(), recommend.PostgresMigrations()); err != nil {
			return fmt.Errorf("migrating Postgres: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		if err := e.ClickHouse.Migrate(ctx, experiments.ClickHouseMigrations(), profiles.ClickHouseMigrations(), attributes.ClickHouseMigrations(), experience.ClickHouseMigrations(), quality.ClickHouseMigrations(), decide.ClickHouseMigrations(), models.ClickHouseMigrations(), predict.ClickHouseMigrations(), lists.ClickHouseMigrations()); err != nil {
			return fmt.Errorf("migrating ClickHouse: %w", err)
		}
		return nil
	})
	return group.Wait()
}
