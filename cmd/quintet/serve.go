package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"quintet/internal/clickhouse"
)

func newServeCommand() *cobra.Command {
	var shop bool
	var shopRate float64
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service and the console",
		Long: `Runs the service and the console until it is told to stop (SIGTERM, Ctrl-C).

It then finishes the requests under way, stores everything that was acknowledged
and ends. With --shop a generated shop sends traffic: see "quintet shop".`,
		Args: cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), shop, shopRate)
		}),
	}
	cmd.Flags().BoolVar(&shop, "shop", false, "set up the generated shop and send its traffic")
	cmd.Flags().Float64Var(&shopRate, "shop-rate", 20, "visits per second of the generated shop")
	return cmd
}

func serve(ctx context.Context, shop bool, shopRate float64) error {
	set := ctx.Value(settingsKey{}).(settings)
	cfg, log := set.cfg, set.log
	started := time.Now()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listening on %s (--listen or QUINTET_LISTEN names another address): %w", cfg.Listen, err)
	}
	a, err := openApp(ctx, cfg, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	address := "http://" + listener.Addr().String()
	running, err := a.announce(ctx, address)
	if err != nil {
		return errors.Join(err, listener.Close(), a.engines.Close())
	}
	defer os.Remove(runningServerFile(cfg)) //nolint:errcheck // a stale file is recognised by its key
	base := strings.TrimRight(cfg.PublicURL, "/")
	if base == "" {
		base = address
	}
	login, err := a.auth.LoginLink(ctx, base)
	if err != nil {
		return errors.Join(err, listener.Close(), a.engines.Close())
	}
	sql, err := a.serveSQL(ctx)
	if err != nil {
		return errors.Join(err, listener.Close(), a.engines.Close())
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.run(ctx, listener) })
	if sql != nil {
		group.Go(func() error { return sql.run(ctx) })
	}
	fmt.Printf("\n  Quintet is ready after %.1f s\n\n  Console   %s\n  Sign in   %s   (works once, within 15 minutes)\n  API       %s/docs\n",
		time.Since(started).Seconds(), base, login, base)
	if sql != nil {
		fmt.Printf("  SQL       http://%s   (ClickHouse's HTTP interface, read-only; user and password in %s)\n", sql.listener.Addr(), sql.credentials)
	}
	fmt.Println()
	if shop {
		group.Go(func() error { return runShop(ctx, running, shopRate, log) })
	}
	return ignoreCanceled(group.Wait())
}

// sqlServer is the embedded ClickHouse's HTTP interface for people and tools.
type sqlServer struct {
	server      *http.Server
	listener    net.Listener
	credentials string
}

// serveSQL listens for SQL tools when ClickHouse is embedded and an address is
// set. Callers can read this database and nothing else.
func (a *app) serveSQL(ctx context.Context) (*sqlServer, error) {
	if a.cfg.ClickHouseListen == "" || !a.engines.ClickHouseEngine.Embedded() {
		return nil, nil
	}
	reader, file, err := a.engines.Reader()
	if err != nil {
		return nil, fmt.Errorf("reading the SQL user: %w", err)
	}
	handler, err := a.engines.ClickHouseEngine.Handler([]clickhouse.User{reader})
	if err != nil {
		return nil, fmt.Errorf("opening the SQL interface: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.cfg.ClickHouseListen)
	if err != nil {
		return nil, fmt.Errorf("listening for SQL on %s (--clickhouse-listen or QUINTET_CLICKHOUSE_LISTEN names another address, empty for none): %w", a.cfg.ClickHouseListen, err)
	}
	return &sqlServer{
		server: &http.Server{
			Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 10 * time.Minute, IdleTimeout: 2 * time.Minute,
		},
		listener: listener, credentials: file,
	}, nil
}

func (s *sqlServer) run(ctx context.Context) error {
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = s.server.Shutdown(end) // a long query is cut off: readers lose nothing
		_ = s.server.Close()
	}()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving SQL: %w", err)
	}
	return nil
}
