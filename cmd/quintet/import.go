package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"quintet/internal/importing"
)

func newImportCommand(connect connectFunc) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Bring in profiles, events and items from files",
		Long: `Reads a file row by row and sends it to the service through its own API.

An import is recognised by the content of its file and mapping: one that was cut
off goes on where it stopped, one that is complete is not sent again. Should a
row be sent twice all the same, it is stored once. Rows that break a rule are
written to a file with their line and the reason.

docs/importing.md has the mapping file and a worked example.`,
	}
	cmd.AddCommand(
		newImportFileCommand(connect, importing.Profiles, "each row describes a person"),
		newImportFileCommand(connect, importing.Events, "each row is something that a person did"),
		newImportFileCommand(connect, importing.Items, "each row is an item of the catalogue"),
		newImportHillstromCommand(connect),
	)
	return cmd
}

func newImportFileCommand(connect connectFunc, kind importing.Kind, what string) *cobra.Command {
	var mapping, format, rejects string
	var force bool
	cmd := &cobra.Command{
		Use:     string(kind) + " FILE",
		Short:   fmt.Sprintf("Import %s from CSV, NDJSON or Parquet: %s", kind, what),
		Example: fmt.Sprintf("  quintet import %s crm.csv --mapping crm.yaml", kind),
		Args:    cobra.ExactArgs(1),
		RunE: withSettings(func(cmd *cobra.Command, args []string) (err error) {
			text, err := os.ReadFile(mapping)
			if err != nil {
				return fmt.Errorf("reading the mapping: %w", err)
			}
			m, err := importing.ParseMapping(text, kind)
			if err != nil {
				return fmt.Errorf("%s: %w", mapping, err)
			}
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			if rejects == "" {
				rejects = args[0] + ".rejects.csv"
			}
			return importing.Run(cmd.Context(), c, importing.Options{
				Kind: kind, Path: args[0], Format: importing.Format(format), Mapping: m, RejectsPath: rejects, Force: force,
				Reporter: newImportProgress(os.Stderr, args[0], rejects),
			})
		}),
	}
	cmd.Flags().StringVar(&mapping, "mapping", "", "YAML file that says which column becomes which field")
	cmd.Flags().StringVar(&format, "format", "", "csv, ndjson or parquet; by the name of the file when absent")
	cmd.Flags().StringVar(&rejects, "rejects", "", "file for rows that break a rule (default FILE.rejects.csv)")
	cmd.Flags().BoolVar(&force, "force", false, "send everything again, also what is imported already")
	if err := cmd.MarkFlagRequired("mapping"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func newImportHillstromCommand(connect connectFunc) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "hillstrom FILE",
		Short: "Import the MineThatData e-mail challenge with its experiment",
		Long: `Imports hillstrom.csv (Kevin Hillstrom, 2008): 64,000 customers, three randomised
e-mail arms and their outcomes. Rows become profiles, logged decisions with
their propensities, exposures and outcomes. Afterwards:

  quintet report hillstrom`,
		Args: cobra.ExactArgs(1),
		RunE: withSettings(func(cmd *cobra.Command, args []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			return importing.Hillstrom(cmd.Context(), c, args[0], force, newImportProgress(os.Stderr, args[0], ""))
		}),
	}
	cmd.Flags().BoolVar(&force, "force", false, "send everything again, also when it is imported already")
	return cmd
}
