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
	cmd.AddCommand(newBenchDecideCommand(&profile), newBenchIngestCommand(&profile), newBenchProfilesCommand(&profile))
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
	stop    func() error
}

// startBench starts the service on embedded engines in an empty directory.
func startBench(ctx context.Context, cfg config.Config) (b *benchService, err error) {
	dir, err := os.MkdirTemp(".", "quintet-bench-")
	if err != nil {
		return nil, fmt.Errorf("creating the directory of the measurement: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	cfg.DataDir, cfg.PostgresURL, cfg.ClickHouseURL, cfg.NATSURL, cfg.ClickHouseListen = dir, "", "", "", ""
	a, err := openApp(ctx, cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, a.engines.Close())
	}
	running, err := a.announce(ctx, "http://"+listener.Addr().String())
	if err != nil {
		return nil, errors.Join(err, a.engines.Close())
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- a.run(serving, listener) }()
	b = &benchService{app: a, address: listener.Addr().String(), key: running.Key}
	b.stop = func() error {
		cancel()
		return errors.Join(<-done, os.RemoveAll(dir))
	}
	if b.client, err = client.New(client.Options{BaseURL: running.Address, Key: running.Key}); err != nil {
		return nil, errors.Join(err, b.stop())
	}
	return b, nil
}

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
