package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	watchRetry    = time.Second
	watchMaxRetry = 15 * time.Second
)

// Watch calls changed at its start, after every notification on the channel (once
// for those that came together) and at least every interval, in case a
// notification was lost, until ctx ends, whose error it returns. It listens on a
// connection of its own beside the pool. While that cannot be had, and when changed
// fails, it logs so and goes on at the interval.
func Watch(ctx context.Context, pool *pgxpool.Pool, channel string, every time.Duration, log *slog.Logger, changed func(context.Context) error) error {
	retry := watchRetry
	for ctx.Err() == nil {
		err := watch(ctx, pool, channel, every, changed, func() { retry = watchRetry })
		if ctx.Err() != nil {
			break
		}
		log.Warn("following changes in postgres; trying again", "channel", channel, "in", retry.String(), "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
		retry = min(2*retry, watchMaxRetry)
		if err := changed(ctx); err != nil && ctx.Err() == nil {
			log.Debug("reading changes from postgres", "channel", channel, "error", err)
		}
	}
	return ctx.Err()
}

// watch is Watch on one connection, until something fails.
func watch(ctx context.Context, pool *pgxpool.Pool, channel string, every time.Duration, changed func(context.Context) error, working func()) error {
	connection, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("connecting to listen: %w", err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = connection.Close(end) // nothing of it is needed any more
	}()
	if _, err := connection.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listening on %s: %w", channel, err)
	}
	for {
		if err := changed(ctx); err != nil {
			return err
		}
		working()
		wait, cancel := context.WithTimeout(ctx, every)
		_, err := connection.WaitForNotification(wait)
		cancel()
		// Notifications that came together are one reason to look. The connection hands out
		// what it has read already without waiting.
		for err == nil {
			drained, cancel := context.WithTimeout(ctx, time.Millisecond)
			_, err = connection.WaitForNotification(drained)
			cancel()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, context.DeadlineExceeded) || connection.IsClosed() {
			return fmt.Errorf("waiting for a notification on %s: %w", channel, err)
		}
	}
}
