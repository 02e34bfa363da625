package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"quintet/experiments"
)

func newReportCommand() *cobra.Command {
	var asJSON bool
	var metric, at, asOf string
	cmd := &cobra.Command{
		Use:   "report EXPERIMENT",
		Short: "Print the uplift report of an experiment",
		Long: `Prints the uplift report: checks first, then every metric by arm with the
absolute and relative effect and 95% intervals. The universal holdout is the
experiment universal-holdout.`,
		Args: cobra.ExactArgs(1),
		RunE: withSettings(func(cmd *cobra.Command, args []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			query := url.Values{}
			if metric != "" {
				query.Set("metric", metric)
			}
			if at != "" {
				query.Set("at", at)
			}
			if asOf != "" {
				query.Set("asOf", asOf)
			}
			var report experiments.Report
			if err := c.Get(cmd.Context(), "/v1/experiments/"+url.PathEscape(args[0])+"/report?"+query.Encode(), &report); err != nil {
				return err
			}
			if !asJSON {
				return experiments.WriteText(os.Stdout, &report)
			}
			body, err := json.MarshalIndent(report, "", "  ")
			if err != nil {
				return fmt.Errorf("encoding the report: %w", err)
			}
			_, err = fmt.Println(string(body))
			return err
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&metric, "metric", "", "only this metric")
	cmd.Flags().StringVar(&at, "at", "", "count events up to this time (RFC 3339) only")
	cmd.Flags().StringVar(&asOf, "as-of", "", "report what was known at this time (RFC 3339); it is the same whenever it is made")
	return cmd
}
