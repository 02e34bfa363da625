package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"quintet/internal/engines"
)

func newDoctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Print every setting with its source and check the engines",
		Args:  cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) error {
			set := cmd.Context().Value(settingsKey{}).(settings)
			w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "SETTING\tENVIRONMENT\tVALUE\tFROM")
			for _, row := range set.cfg.Rows() {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", row.Key, row.Env, row.Value, row.Source)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			fmt.Println()
			return checkEngines(cmd.Context(), set)
		}),
	}
}

// checkEngines asks the running service, or starts the engines for a moment.
func checkEngines(ctx context.Context, set settings) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if running, ok := findRunning(ctx, set.cfg); ok {
		fmt.Printf("A server runs at %s (process %d) and answers.\n", running.Address, running.PID)
		return nil
	}
	started := time.Now()
	e, err := engines.Start(ctx, set.cfg, set.log)
	if err != nil {
		return err
	}
	fmt.Printf("Engines started in %.1f s.\n", time.Since(started).Seconds())
	health := e.Health(ctx)
	names := make([]string, 0, len(health))
	for name := range health {
		names = append(names, name)
	}
	sort.Strings(names)
	var failed error
	for _, name := range names {
		if health[name] != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, health[name]))
			fmt.Printf("  %-11s failed: %v\n", name, health[name])
			continue
		}
		fmt.Printf("  %-11s answers\n", name)
	}
	return errors.Join(failed, e.Close())
}
