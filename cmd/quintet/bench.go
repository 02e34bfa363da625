package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quintet/internal/client"
	"quintet/internal/config"
)

func newBenchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure speed beside a baseline in the same run",
		Long: `Every measurement starts the service on embedded engines in an empty directory,
sends load over loopback from the same process, and measures a baseline in turn
with it. Machines differ and are noisy: compare the ratio, not the rate.`,
	}
	var profile string
	cmd.PersistentFlags().StringVar(&profile, "cpu-profile", "", "write a CPU profile for \"go tool pprof\" of the measured service, without baseline and preparation, to this file")
	cmd.AddCommand(newBenchDecideCommand(&profile), newBenchIngestCommand(&profile), newBenchProfilesCommand(&profile), newBenchFlagsCommand(&profile), newBenchReportCommand(&profile), newBenchRecommendCommand(&profile), newBenchBanditCommand(&profile))
	return cmd
}

// startProfile writes a CPU profile to a file from now until the returned function is
// called; without a name it does nothing.
func startProfile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("creating the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// benchService is the service that is measured.
type benchService struct {
	app     *app
	client  *client.Client
	address string
	key     string
	cfg     config.Config
	halt    func() error // leaves the data
}

// startBench starts the service on embedded engines in an empty directory.
func startBench(ctx context.Context, cfg config.Config) (*benchService, error) {
	dir, err := os.MkdirTemp(".", "quintet-bench-")
	if err != nil {
		return nil, fmt.Errorf("creating the directory of the measurement: %w", err)
	}
	cfg.DataDir, cfg.PostgresURL, cfg.ClickHouseURL, cfg.NATSURL, cfg.ClickHouseListen = dir, "", "", "", ""
	b := &benchService{cfg: cfg}
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return b, nil
}

// open starts the service on the data that there is.
func (b *benchService) open(ctx context.Context) error {
	a, err := openApp(ctx, b.cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, a.engines.Close())
	}
	running, err := a.announce(ctx, "http://"+listener.Addr().String())
	if err != nil {
		return errors.Join(err, a.engines.Close())
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- a.run(serving, listener) }()
	b.app, b.address, b.key = a, listener.Addr().String(), running.Key
	b.halt = func() error {
		cancel()
		return <-done
	}
	if b.client, err = client.New(client.Options{BaseURL: running.Address, Key: running.Key}); err != nil {
		return errors.Join(err, b.halt())
	}
	return nil
}

// restart stops the service and starts it again. It returns the time until it was
// ready, without that of stopping.
func (b *benchService) restart(ctx context.Context) (time.Duration, error) {
	if err := b.halt(); err != nil {
		return 0, fmt.Errorf("stopping the service: %w", err)
	}
	b.halt = func() error { return nil }
	b.app, b.client = nil, nil // what they hold in memory goes
	started := time.Now()
	if err := b.open(ctx); err != nil {
		return 0, fmt.Errorf("starting the service again: %w", err)
	}
	for {
		err := b.client.Get(ctx, "/readyz", nil)
		if err == nil {
			return time.Since(started), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
		if time.Since(started) > 10*time.Minute {
			return 0, fmt.Errorf("the service is not ready after ten minutes: %w", err)
		}
	}
}

// stop ends the service and removes its data.
func (b *benchService) stop() error { return errors.Join(b.halt(), os.RemoveAll(b.cfg.DataDir)) }

// median of a few numbers.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// milliseconds with two decimals.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func heading(text string) { fmt.Printf("%s\n%s\n", text, strings.Repeat("-", len(text))) }
