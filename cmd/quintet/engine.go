package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quintet/internal/clickhouse"
	"quintet/internal/postgres"
)

func newEngineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "engine",
		Short: "Serve an embedded engine to other processes",
		Long: `Runs one of the embedded engines by itself, with a user that may write, so that
several processes can share it through QUINTET_POSTGRES_URL or
QUINTET_CLICKHOUSE_URL. The first line of output is that URL; user and password
stay the same over restarts.`,
	}
	var listen string
	ch := &cobra.Command{
		Use: "clickhouse", Short: "Serve the embedded ClickHouse over its HTTP interface", Args: cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) error {
			return engineClickHouse(cmd.Context(), cmd.Context().Value(settingsKey{}).(settings), listen)
		}),
	}
	ch.Flags().StringVar(&listen, "engine-listen", "127.0.0.1:0", "address to listen on")
	pg := &cobra.Command{
		Use: "postgres", Short: "Serve the embedded Postgres", Args: cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) error {
			return enginePostgres(cmd.Context(), cmd.Context().Value(settingsKey{}).(settings))
		}),
	}
	cmd.AddCommand(ch, pg)
	return cmd
}

func engineClickHouse(ctx context.Context, set settings, listen string) (err error) {
	library, err := clickhouse.LibraryPath(set.cfg.EnginesDir)
	if err != nil {
		return err
	}
	dir := filepath.Join(set.cfg.DataDir, "clickhouse")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("creating the data directory: %w", err)
	}
	engine, err := clickhouse.OpenEmbedded(ctx, clickhouse.EmbeddedOptions{LibraryPath: library, DataDir: dir, Logger: set.log})
	if err != nil {
		return err
	}
	defer closing(engine.Close, &err)
	password, err := keptPassword(filepath.Join(dir, "service-password"))
	if err != nil {
		return err
	}
	user := clickhouse.User{Name: "service", Password: password, Databases: []string{"default"}}
	handler, err := engine.Handler([]clickhouse.User{user})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", listen, err)
	}
	fmt.Printf("http://%s:%s@%s/default\n", user.Name, user.Password, listener.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), set.cfg.ShutdownTimeout)
		defer cancel()
		_ = server.Shutdown(end) // what is cut off was not acknowledged
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving ClickHouse: %w", err)
	}
	return nil
}

// keptPassword reads the password in the file, or makes it one: with another
// password at every start the services that use the engine would lose it.
func keptPassword(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err == nil && len(content) > 0 {
		return strings.TrimSpace(string(content)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the engine's password: %w", err)
	}
	password := rand.Text()
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keeping the engine's password: %w", err)
	}
	return password, nil
}

func enginePostgres(ctx context.Context, set settings) (err error) {
	server, err := postgres.StartEmbedded(ctx, postgres.EmbeddedOptions{
		EnginesDir: set.cfg.EnginesDir, DataDir: filepath.Join(set.cfg.DataDir, "postgres"), Logger: set.log,
	})
	if err != nil {
		return err
	}
	defer closing(server.Close, &err)
	fmt.Println(server.URL(postgres.DefaultDatabase))
	<-ctx.Done()
	return nil
}
