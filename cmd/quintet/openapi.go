package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func newOpenAPICommand() *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print the OpenAPI 3.1 description of the API",
		Args:  cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			// The description is generated from the wired service, so one is
			// opened on an empty directory.
			set := cmd.Context().Value(settingsKey{}).(settings)
			dir, err := os.MkdirTemp("", "quintet-openapi-")
			if err != nil {
				return fmt.Errorf("creating a temporary data directory: %w", err)
			}
			defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
			set.cfg.DataDir, set.cfg.PostgresURL, set.cfg.ClickHouseURL, set.cfg.NATSURL = dir, "", "", ""
			a, err := openApp(cmd.Context(), set.cfg, set.log)
			if err != nil {
				return err
			}
			defer closing(a.engines.Close, &err)
			body, err := a.server.OpenAPI()
			if err != nil {
				return err
			}
			_, err = os.Stdout.Write(body)
			return err
		}),
	}
}
