package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"quintet/decide"
)

func newEvaluateCommand() *cobra.Command {
	var asJSON bool
	var from, until string
	var exploration float64
	var ask decide.Evaluation
	cmd := &cobra.Command{
		Use:   "evaluate DECISION-POINT",
		Short: "Estimate from the log what a policy would have brought",
		Long: `Estimates what another policy would have brought at a decision point, from the
probabilities that every decision was drawn with. A bandit learns from the
decisions before --from; those after judge. A log that does not support the
question is refused.`,
		Args: cobra.ExactArgs(1),
		RunE: withSettings(func(cmd *cobra.Command, args []string) (err error) {
			if ask.From, err = moment("from", from); err != nil {
				return err
			}
			if ask.Until, err = moment("until", until); err != nil {
				return err
			}
			if cmd.Flags().Changed("exploration") {
				ask.Policy.Exploration = &exploration
			}
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			var report decide.EvaluationReport
			if err := c.Post(cmd.Context(), "/v1/decision-points/"+url.PathEscape(args[0])+"/evaluate", ask, &report); err != nil {
				return err
			}
			if !asJSON {
				return writeEvaluation(os.Stdout, &report)
			}
			body, err := json.MarshalIndent(report, "", "  ")
			if err != nil {
				return fmt.Errorf("encoding the evaluation: %w", err)
			}
			_, err = fmt.Println(string(body))
			return err
		}),
	}
	cmd.Flags().StringVar(&ask.Policy.Type, "policy", decide.PolicyBandit, "type of the policy: bandit, uniform or fixed")
	cmd.Flags().StringVar(&ask.Policy.Action, "action", "", "action of a fixed policy")
	cmd.Flags().Float64Var(&ask.Policy.Alpha, "alpha", 0, "scale of a bandit's posterior deviation (default 0.5)")
	cmd.Flags().Float64Var(&exploration, "exploration", 0.05, "share of decisions that a bandit spreads evenly")
	cmd.Flags().Float64Var(&ask.Policy.HalfLifeDays, "half-life", 0, "days after which a bandit counts a decision half (default 30)")
	cmd.Flags().StringVar(&from, "from", "", "decisions from this time (RFC 3339) on judge (default the last three tenths of the time)")
	cmd.Flags().StringVar(&until, "until", "", "decisions before this time judge (default those whose window has passed)")
	cmd.Flags().IntVar(&ask.Limit, "limit", 0, "at most about so many decisions judge (default 200000)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(newEvaluateRecommendCommand())
	return cmd
}

func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("--%s must be a time like 2026-11-22T00:00:00Z: %w", flag, err)
	}
	return at, nil
}

// writeEvaluation prints what can be said, refusals before any figure.
func writeEvaluation(out io.Writer, r *decide.EvaluationReport) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s: what a %s policy would have brought, %s to %s\n", r.Decision, r.Policy.Type, r.From.Format(time.DateTime), r.Until.Format(time.DateTime))
	fmt.Fprintf(w, "%d decisions judge (one in %d), %d taught\n\n", r.Decisions, max(1, r.Sampled), r.Trained)
	if !r.Supported {
		fmt.Fprintln(w, "NOT SUPPORTED BY THE LOG: no figure below is to be believed")
		for _, reason := range r.Refusals {
			fmt.Fprintf(w, "- %s\n", reason)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "estimator\treward per decision\t95 % interval")
	for _, v := range append([]decide.EvaluationValue{r.Logged}, r.Values...) {
		name := v.Estimator
		switch {
		case v.Estimator == r.Logged.Estimator:
			name = "the log"
		case v.Parameter != nil:
			name = fmt.Sprintf("%s (%g)", name, *v.Parameter)
		}
		fmt.Fprintf(w, "%s\t%.6g\t%.6g to %.6g\n", name, v.Value, v.Lower, v.Upper)
	}
	fmt.Fprintf(w, "gain (dr)\t%.6g\t%.6g to %.6g\n", r.Gain.Value, r.Gain.Lower, r.Gain.Upper)
	fmt.Fprintf(w, "\noverlap: as good as %.0f decisions of the policy itself, mean weight %.4f, largest %.4g\n", r.Overlap.EffectiveSize, r.Overlap.MeanWeight, r.Overlap.MaxWeight)
	switch {
	case r.Better:
		fmt.Fprintln(w, "The policy brings more than the log's own.")
	case r.Supported:
		fmt.Fprintln(w, "The log does not show that the policy brings more than its own.")
	}
	return w.Flush()
}
