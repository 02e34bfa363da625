package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// StatementTimeout ends any statement of a pool that takes longer, unless the
	// connection string sets statement_timeout itself.
	StatementTimeout = 30 * time.Second

	idleTransactionTimeout = time.Minute
	pingTimeout            = 10 * time.Second
)

// OpenPool connects to the Postgres at url ("postgres://user:password@host/database",
// or any form that pgx takes) with at most maxConns connections, and makes sure that it
// answers. maxConns below 1 keeps what the string says (pool_max_conns) or pgx's default.
//
// Statements and idle transactions are bounded on the server's side, connections are
// renewed every hour. Errors never contain the password.
func OpenPool(ctx context.Context, url string, maxConns int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("opening postgres: reading the connection string: %w", err)
	}
	if maxConns > 0 {
		config.MaxConns = maxConns
	}
	config.MaxConnLifetime = time.Hour
	config.MaxConnLifetimeJitter = 10 * time.Minute
	config.MaxConnIdleTime = 15 * time.Minute
	config.HealthCheckPeriod = 30 * time.Second
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	for name, value := range map[string]string{
		"application_name":                    "quintet",
		"timezone":                            "UTC",
		"statement_timeout":                   milliseconds(StatementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(idleTransactionTimeout),
	} {
		if _, set := config.ConnConfig.RuntimeParams[name]; !set {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("opening postgres: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connecting to postgres: %w", err)
	}
	return pool, nil
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%d", d.Milliseconds())
}
