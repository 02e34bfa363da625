// Command quintet is the whole product in one binary: the service, the console,
// and the tools around them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"quintet/internal/config"
)

// version is set at build time.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRootCommand().ExecuteContext(ctx)
	if err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return
	}
	fmt.Fprintln(os.Stderr, "quintet:", err)
	os.Exit(1)
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "quintet",
		Short: "Decide who, what, when, where and how for each person, and prove that it was worth it",
		Long: `Quintet is an experimentation and recommendation platform centred on decisioning.

For each person it decides who to talk to, what to offer, when, where and how,
logs every decision with its exact probability, and reports the uplift against
control groups. Everything runs in this one binary; Postgres, ClickHouse and
NATS JetStream are embedded unless a setting names a server of yours.

Every setting is a flag, an environment variable QUINTET_… or a line in
quintet.yaml; "quintet doctor" prints them all with their source.`,
		SilenceUsage: true, SilenceErrors: true, Version: version,
	}
	config.BindFlags(root.PersistentFlags())
	root.AddCommand(
		newServeCommand(), newDoctorCommand(), newImportCommand(connect), newReportCommand(), newTrainCommand(), newAssignmentCommand(), newEvaluateCommand(), newPoliciesCommand(), newDryRunCommand(), newShopCommand(connect), newSimulateCommand(),
		newBenchCommand(), newExportCommand(), newEraseCommand(), newKeysCommand(), newLoginCommand(), newEngineCommand(), newOpenAPICommand(),
	)
	return root
}
