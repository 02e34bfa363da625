package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"quintet/internal/client"
	"quintet/internal/shop"
)

// The generated shop's size when nothing else is said.
const (
	shopSeed      = 1
	shopCustomers = 5000
	openingVisits = 2000 // made at once when the shop opens for the first time
)

func newShopCommand(connect connectFunc) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shop",
		Short: "Run the generated shop, and judge decisions by its hidden truth",
		Long: `The generated shop has customers with a hidden taste, sensitivity to price and
habits. It asks the service for decisions over HTTP as any client does, responds
and sends events. Because it knows the expected response to every action, it can
tell what the decisions were truly worth.`,
	}
	var seed, visits uint64
	var customers int
	var rate float64
	cmd.PersistentFlags().Uint64Var(&seed, "seed", shopSeed, "seed of the shop's world")
	cmd.PersistentFlags().IntVar(&customers, "customers", shopCustomers, "number of customers")
	run := &cobra.Command{
		Use: "run", Short: "Send visits to the running service", Args: cobra.NoArgs,
		Example: "  quintet shop run --visits 50000          # as fast as possible\n  quintet shop run --rate 100              # until stopped",
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			world := shop.NewWorld(seed, customers)
			if err := shop.Setup(cmd.Context(), c, world, bar("Customers")); err != nil {
				return err
			}
			first, err := firstVisit(cmd.Context(), c)
			if err != nil {
				return err
			}
			t := shop.Traffic{Rate: rate, Visits: visits, First: first, Logger: cmd.Context().Value(settingsKey{}).(settings).log}
			if visits > 0 {
				show := bar("Visits")
				t.Progress = func(n uint64) { show(int(n), int(visits)) }
			}
			started := time.Now()
			if err := ignoreCanceled(shop.Run(cmd.Context(), c, world, t)); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "Done in %.1f s.\n", time.Since(started).Seconds())
			return nil
		}),
	}
	run.Flags().Float64Var(&rate, "rate", 0, "visits per second, as fast as possible when 0")
	run.Flags().Uint64Var(&visits, "visits", 0, "end after so many visits, never when 0")
	var asJSON bool
	truth := &cobra.Command{
		Use: "truth", Short: "Print what the logged decisions were truly worth", Args: cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			t, err := shop.Judge(cmd.Context(), c, shop.NewWorld(seed, customers))
			if err != nil {
				return err
			}
			if !asJSON {
				return t.WriteText(os.Stdout)
			}
			return json.NewEncoder(os.Stdout).Encode(t)
		}),
	}
	truth.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(run, truth)
	return cmd
}

// runShop is the shop of "serve --shop": it waits for the server, sets up what
// is missing and sends traffic until the context ends.
func runShop(ctx context.Context, server runningServer, rate float64, log *slog.Logger) error {
	c, err := client.New(client.Options{BaseURL: server.Address, Key: server.Key, UserAgent: "quintet-shop"})
	if err != nil {
		return err
	}
	defer c.Close()
	world := shop.NewWorld(shopSeed, shopCustomers)
	started := time.Now()
	if err := shop.Setup(ctx, c, world, nil); err != nil {
		return ignoreCanceled(fmt.Errorf("setting up the generated shop: %w", err))
	}
	first, err := firstVisit(ctx, c)
	if err != nil {
		return ignoreCanceled(err)
	}
	if first == 0 {
		// Something to look at from the first minute on.
		if err := shop.Run(ctx, c, world, shop.Traffic{Visits: openingVisits, Logger: log}); err != nil {
			return ignoreCanceled(fmt.Errorf("opening the generated shop: %w", err))
		}
		first = openingVisits
	}
	log.Info("the generated shop is open", "customers", shopCustomers, "visitsPerSecond", rate, "setUp", time.Since(started).Round(time.Millisecond))
	for ctx.Err() == nil {
		err := ignoreCanceled(shop.Run(ctx, c, world, shop.Traffic{Rate: rate, First: first, Logger: log}))
		if err == nil || ctx.Err() != nil {
			return nil
		}
		// What a person changed in the console may stop the shop, never the service.
		log.Warn("the generated shop pauses for 10 s", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
		}
		if next, err := firstVisit(ctx, c); err == nil {
			first = next
		}
	}
	return nil
}

// firstVisit continues the numbering of visits after a restart, so that no visit
// happens twice. The last page of the log holds the highest number, or one that
// was decided at the same time.
func firstVisit(ctx context.Context, c *client.Client) (uint64, error) {
	var recent struct {
		Items []struct {
			Context map[string]any `json:"context"`
		} `json:"items"`
	}
	if err := c.Get(ctx, "/v1/decisions?limit=200&decisionPoint="+shop.DecisionPoint, &recent); err != nil {
		return 0, fmt.Errorf("looking for the last visit: %w", err)
	}
	var next uint64
	for _, d := range recent.Items {
		if n, ok := d.Context["visit"].(float64); ok && n >= 0 {
			next = max(next, uint64(n)+1)
		}
	}
	return next, nil
}

// bar shows progress on a terminal.
func bar(what string) func(done, total int) {
	var b *progressbar.ProgressBar
	return func(done, total int) {
		if b == nil {
			b = progressbar.NewOptions(total, progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(os.Stderr),
				progressbar.OptionShowCount(), progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish())
		}
		_ = b.Set(done) // progress is a courtesy
	}
}
