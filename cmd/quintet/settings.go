package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"quintet/internal/config"
)

// loadSettings reads the configuration of a command and makes its logger, which writes
// to standard error so that standard output stays what was asked for.
func loadSettings(cmd *cobra.Command) (config.Config, *slog.Logger, error) {
	cfg, err := config.Load(cmd.Flags())
	if err != nil {
		return cfg, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return cfg, nil, fmt.Errorf("reading the configuration: log-level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if cfg.LogFormat == "json" {
		handler = slog.NewJSONHandler(os.Stderr, options)
	}
	return cfg, slog.New(handler), nil
}

type settingsKey struct{}

// settings are what a command needs to reach the service.
type settings struct {
	cfg config.Config
	log *slog.Logger
}

// withSettings makes the configuration available to [connect].
func withSettings(run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, log, err := loadSettings(cmd)
		if err != nil {
			return err
		}
		cmd.SetContext(context.WithValue(cmd.Context(), settingsKey{}, settings{cfg, log}))
		return run(cmd, args)
	}
}
