package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"quintet/experiments"
)

func newReportCommand() *cobra.Command {
	var asJSON, brief bool
	var metric, at, asOf, dimension, method, format, output string
	cmd := &cobra.Command{
		Use:   "report EXPERIMENT",
		Short: "Print the uplift report of an experiment",
		Long: `Prints the uplift report: checks first, then what is recommended, then every
metric by arm with its effects and intervals. The universal holdout is the
experiment universal-holdout.`,
		Example: `  quintet report hero-2026
  quintet report hero-2026 --dimension trait.country
  quintet report hero-2026 --format html --output report.html`,
		Args: cobra.ExactArgs(1),
		RunE: withSettings(func(cmd *cobra.Command, args []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			query := url.Values{}
			for name, value := range map[string]string{"metric": metric, "at": at, "asOf": asOf, "dimension": dimension, "method": method} {
				if value != "" {
					query.Set(name, value)
				}
			}
			if brief {
				query.Set("brief", "true")
			}
			var report experiments.Report
			if err := c.Get(cmd.Context(), "/v1/experiments/"+url.PathEscape(args[0])+"/report?"+query.Encode(), &report); err != nil {
				return err
			}
			return writeTo(output, func(w io.Writer) error {
				if asJSON || format == string(experiments.JSONFormat) {
					encoder := json.NewEncoder(w)
					encoder.SetIndent("", "  ")
					encoder.SetEscapeHTML(false)
					if err := encoder.Encode(report); err != nil {
						return fmt.Errorf("encoding the report: %w", err)
					}
					return nil
				}
				return experiments.Write(w, &report, experiments.Format(format))
			})
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON; the same as --format json")
	cmd.Flags().StringVar(&format, "format", "text", "text, json, csv, markdown or html")
	cmd.Flags().StringVar(&output, "output", "", "write to this file instead of the terminal")
	cmd.Flags().StringVar(&metric, "metric", "", "only this metric")
	cmd.Flags().StringVar(&dimension, "dimension", "", "tell the metrics apart by a dimension too: trait.NAME, context.NAME, property.NAME, decision.NAME")
	cmd.Flags().StringVar(&method, "method", "", "look by another method: sequential, fixed, bayesian, group-sequential")
	cmd.Flags().BoolVar(&brief, "brief", false, "leave out the course over time and the costs")
	cmd.Flags().StringVar(&at, "at", "", "count events up to this time (RFC 3339) only")
	cmd.Flags().StringVar(&asOf, "as-of", "", "report what was known at this time (RFC 3339); it is the same whenever it is made")
	return cmd
}

// writeTo writes to a file, or to standard output where none is named.
func writeTo(path string, write func(io.Writer) error) (err error) {
	if path == "" {
		return write(os.Stdout)
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("creating the file: %w", err)
	}
	defer func() {
		if closed := file.Close(); err == nil && closed != nil {
			err = fmt.Errorf("writing %s: %w", path, closed)
		}
	}()
	return write(file)
}
