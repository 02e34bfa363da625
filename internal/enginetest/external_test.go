package enginetest_test

import (
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"quintet/internal/enginetest"
	"quintet/internal/postgres"
)

// The same tests run on servers of their own, where they clean up, too.
func TestExternalServers(t *testing.T) {
	t.Parallel()
	if os.Getenv("QUINTET_TEST_POSTGRES_URL") != "" || os.Getenv("QUINTET_TEST_NATS_URL") != "" {
		t.Skip("the engines are external already")
	}
	enginetest.Postgres(t) // skips here without engines
	ctx := t.Context()
	server, err := postgres.StartEmbedded(ctx, postgres.EmbeddedOptions{
		EnginesDir: enginetest.EnginesDir(), DataDir: t.TempDir(), Ephemeral: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	stream, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		// Its own guess is a part of the free disk, which a test must not depend on.
		JetStreamMaxStore: 1 << 50,
	})
	if err != nil {
		t.Fatal(err)
	}
	stream.Start()
	t.Cleanup(func() {
		stream.Shutdown()
		stream.WaitForShutdown()
	})
	if !stream.ReadyForConnections(30 * time.Second) {
		t.Fatal("the NATS server does not start")
	}

	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(ctx, program, "-test.run", "^TestDatabasesAreFresh$", "-test.v")
	child.Env = append(os.Environ(), "QUINTET_TEST_POSTGRES_URL="+server.URL(postgres.DefaultDatabase), "QUINTET_TEST_NATS_URL="+stream.ClientURL())
	output, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "--- PASS: TestDatabasesAreFresh/2") {
		t.Fatalf("on external servers: %v\n%s", err, output)
	}

	connection, err := pgx.Connect(ctx, server.URL(postgres.DefaultDatabase))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(ctx)
	var databases []string
	var next uint32
	if err := connection.QueryRow(ctx, `SELECT array_agg(datname::text ORDER BY datname), max(oid) FROM pg_database`).Scan(&databases, &next); err != nil {
		t.Fatal(err)
	}
	// Object ids are given in order: the databases of the tests have had some.
	if _, err := connection.Exec(ctx, `CREATE DATABASE last`); err != nil {
		t.Fatal(err)
	}
	var last uint32
	if err := connection.QueryRow(ctx, `SELECT max(oid) FROM pg_database`).Scan(&last); err != nil {
		t.Fatal(err)
	}
	if last < next+4 {
		t.Errorf("object ids went from %d to %d: the tests did not use this server", next, last)
	}
	if want := []string{"postgres", "quintet", "template0", "template1"}; !slices.Equal(databases, want) {
		t.Errorf("databases %q, want %q", databases, want)
	}
	nc, err := nats.Connect(stream.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		t.Errorf("the stream %s is left", name)
	}
	if err := names.Err(); err != nil {
		t.Error(err)
	}
	if stats, err := stream.Varz(nil); err != nil || stats.TotalConnections < 4 {
		t.Errorf("the NATS server had %d connections (%v): the tests did not use it", stats.TotalConnections, err)
	}
}
