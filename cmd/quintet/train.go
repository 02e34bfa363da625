package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"quintet/models/predict"
	"quintet/profiles/attributes"
)

func newTrainCommand() *cobra.Command {
	var promote, score, asJSON bool
	cmd := &cobra.Command{
		Use:   "train MODEL",
		Short: "Train a predictive model, and put it into use",
		Long: `Trains a new version of a predictive model (churn, next purchase, lifetime value,
uplift, send time) from the log and tests it on people as of a later moment. The
version is a challenger until it is promoted.`,
		Example: `  quintet train churn
  quintet train churn --promote --score`,
		Args: cobra.ExactArgs(1),
		RunE: withSettings(func(cmd *cobra.Command, args []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			path := "/v1/models/" + url.PathEscape(args[0])
			var v predict.Version
			if err := c.Post(cmd.Context(), path+"/train", struct{}{}, &v); err != nil {
				return err
			}
			if promote && v.State != predict.Champion {
				if err := c.Post(cmd.Context(), fmt.Sprintf("%s/registry/%d/promote", path, v.Version), struct{}{}, &v); err != nil {
					return err
				}
			}
			var scoring *predict.Scoring
			if score {
				scoring = new(predict.Scoring)
				if err := c.Post(cmd.Context(), path+"/score", struct{}{}, scoring); err != nil {
					return err
				}
			}
			if asJSON {
				encoder := json.NewEncoder(os.Stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(struct {
					Version predict.Version  `json:"version"`
					Scoring *predict.Scoring `json:"scoring,omitempty"`
				}{v, scoring})
			}
			out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintf(out, "version\t%d (%s)\nlearner\t%s\nrows\t%d\nverdict\t%s\n", v.Version, v.State, v.Learner, v.Rows, v.Verdict)
			if v.Metrics != nil {
				for _, candidate := range v.Metrics.Candidates {
					fmt.Fprintf(out, "candidate\t%s\tlog-loss %.5f\tAUC %.4f\t%s\n", candidate.Name, candidate.Measures.LogLoss, candidate.Measures.AUC, candidate.Failure)
				}
			}
			if scoring != nil {
				fmt.Fprintf(out, "scored\t%d people in %.1f s\n", scoring.People, scoring.Seconds)
			}
			return out.Flush()
		}),
	}
	cmd.Flags().BoolVar(&promote, "promote", false, "make the new version the champion")
	cmd.Flags().BoolVar(&score, "score", false, "score everybody with the champion afterwards")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// isBuiltInAttribute says that models may not write an attribute.
func isBuiltInAttribute(key string) bool {
	for _, b := range attributes.BuiltIns() {
		if b.Key == key {
			return true
		}
	}
	return false
}
