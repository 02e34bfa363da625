package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"quintet/internal/client"
	"quintet/internal/config"
	"quintet/internal/shop"
)

// weekPlan is what a week is simulated with.
type weekPlan struct {
	seed   uint64
	people int
	from   time.Time
	days   int
	step   time.Duration
	learn  time.Duration // between two looks of the models
}

// weekService is the service by a clock that the simulation moves.
type weekService struct {
	app   *app
	clock *shop.Clock
	shop.WeekService
	stop func() error
}

// openWeek starts the service at a moment.
func openWeek(ctx context.Context, cfg config.Config, at time.Time, log *slog.Logger) (*weekService, error) {
	clock := shop.NewClock(at)
	a, err := openAppAt(ctx, cfg, log, pace{now: clock.Now, storeWait: 5 * time.Millisecond, stepped: true})
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, a.engines.Close())
	}
	running, err := a.announce(ctx, "http://"+listener.Addr().String())
	if err != nil {
		return nil, errors.Join(err, listener.Close(), a.engines.Close())
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- a.run(serving, listener) }()
	w := &weekService{app: a, clock: clock}
	c, err := client.New(client.Options{BaseURL: running.Address, Key: running.Key})
	if err != nil {
		cancel()
		return nil, errors.Join(err, <-done)
	}
	w.WeekService = shop.WeekService{Client: c, Clock: clock, Settle: a.settle, Learn: a.learn}
	w.stop = func() error {
		c.Close()
		cancel()
		return <-done
	}
	return w, nil
}

// simulateWeek lives through a week and says what it came to.
func simulateWeek(ctx context.Context, cfg config.Config, p weekPlan, progress func(float64)) (out *weekOutcome, err error) {
	week := shop.NewWeek(p.seed, p.people, p.from, p.days, p.step)
	s, err := openWeek(ctx, cfg, p.from.Add(-p.step), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		return nil, err
	}
	defer closing(s.stop, &err)
	started := time.Now()
	lived, err := week.Run(ctx, s.WeekService, p.step, p.learn, progress)
	if err != nil {
		return nil, fmt.Errorf("simulating a week: %w", err)
	}
	out = &weekOutcome{Plan: p, Took: time.Since(started), Lived: lived}
	return out, out.report(ctx, s)
}

// weekDir is an empty directory for a week on embedded engines.
func weekDir(cfg config.Config) (config.Config, func() error, error) {
	dir, err := os.MkdirTemp(".", ".quintet-week-")
	if err != nil {
		return cfg, nil, fmt.Errorf("creating the directory of the simulation: %w", err)
	}
	cfg.DataDir, cfg.PostgresURL, cfg.ClickHouseURL, cfg.NATSURL, cfg.ClickHouseListen = dir, "", "", "", ""
	return cfg, func() error { return os.RemoveAll(dir) }, nil
}
