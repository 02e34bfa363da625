package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"quintet/internal/api"
	"quintet/internal/client"
	"quintet/internal/config"
)

// connectFunc reaches the service: the one that runs on the data directory, or
// one that is started for the duration of the command. The returned function
// ends the connection, and what was started for it.
type connectFunc func(ctx context.Context) (*client.Client, func() error, error)

// localKeyName marks the key that a running server leaves for commands.
const localKeyName = "local commands"

// runningServer is what a server writes down for commands on the same machine.
type runningServer struct {
	Address string `json:"address"`
	Key     string `json:"key"`
	PID     int    `json:"pid"`
}

func runningServerFile(cfg config.Config) string { return filepath.Join(cfg.DataDir, "server.json") }

// announce creates a key for local commands and writes where the server listens.
// Keys of earlier runs are revoked.
func (a *app) announce(ctx context.Context, address string) (runningServer, error) {
	keys, err := a.auth.ListKeys(ctx)
	if err != nil {
		return runningServer{}, err
	}
	for _, k := range keys {
		if k.Name == localKeyName && k.RevokedAt == nil {
			if err := a.auth.RevokeKey(ctx, k.ID); err != nil {
				return runningServer{}, fmt.Errorf("revoking the local key of an earlier run: %w", err)
			}
		}
	}
	secret, _, err := a.auth.CreateKey(ctx, localKeyName, []api.Scope{api.ScopeAdmin}, "serve")
	if err != nil {
		return runningServer{}, fmt.Errorf("creating the key for local commands: %w", err)
	}
	r := runningServer{Address: address, Key: secret, PID: os.Getpid()}
	a.local = r
	body, err := json.Marshal(r)
	if err != nil {
		return r, err
	}
	if err := os.MkdirAll(a.cfg.DataDir, 0o755); err != nil {
		return r, fmt.Errorf("creating the data directory: %w", err)
	}
	file := runningServerFile(a.cfg)
	if err := os.WriteFile(file+".new", body, 0o600); err != nil {
		return r, fmt.Errorf("writing %s: %w", file, err)
	}
	return r, os.Rename(file+".new", file)
}

// connect implements [connectFunc] for the settings in the context.
func connect(ctx context.Context) (*client.Client, func() error, error) {
	set, ok := ctx.Value(settingsKey{}).(settings)
	if !ok {
		return nil, nil, errors.New("the command has no settings")
	}
	if running, ok := findRunning(ctx, set.cfg); ok {
		c, err := client.New(client.Options{BaseURL: running.Address, Key: running.Key})
		if err != nil {
			return nil, nil, err
		}
		return c, func() error { c.Close(); return nil }, nil
	}
	return startHere(ctx, set.cfg, set.log)
}

// findRunning looks for a server on the data directory that still answers.
func findRunning(ctx context.Context, cfg config.Config) (runningServer, bool) {
	var r runningServer
	body, err := os.ReadFile(runningServerFile(cfg))
	if err != nil || json.Unmarshal(body, &r) != nil {
		return r, false
	}
	c, err := client.New(client.Options{BaseURL: r.Address, Key: r.Key})
	if err != nil {
		return r, false
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return r, c.Get(ctx, "/v1/holdouts", nil, client.Once()) == nil
}

// startHere runs the service inside this process on a free loopback port.
func startHere(ctx context.Context, cfg config.Config, log *slog.Logger) (*client.Client, func() error, error) {
	log = slog.New(warnings{log.Handler()}) // starting and stopping is not what was asked for
	cfg.ClickHouseListen = ""               // nobody but this command is there to ask
	a, err := openApp(ctx, cfg, log)
	if err != nil {
		return nil, nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("listening on a loopback port: %w", err), a.engines.Close())
	}
	running, err := a.announce(ctx, "http://"+listener.Addr().String())
	if err != nil {
		return nil, nil, errors.Join(err, listener.Close(), a.engines.Close())
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- a.run(serving, listener) }()
	c, err := client.New(client.Options{BaseURL: running.Address, Key: running.Key})
	if err != nil {
		stop()
		return nil, nil, errors.Join(err, <-done)
	}
	return c, func() error {
		c.Close()
		stop()
		return errors.Join(<-done, os.Remove(runningServerFile(cfg)))
	}, nil
}

// warnings passes on what is at least a warning.
type warnings struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// WithAttrs implements [slog.Handler].
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
