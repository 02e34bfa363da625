package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"quintet/decide"
	"quintet/internal/client"
	"quintet/models"
)

func policiesOf(point string, parts ...string) string {
	path := "/v1/decision-points/" + url.PathEscape(point) + "/policies"
	for _, p := range parts {
		path += "/" + url.PathEscape(p)
	}
	return path
}

func newPoliciesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policies",
		Short: "What policies have learned, their candidates, promotions and versions",
		Long: `Shows what the policy of a decision point has learned, trains and compares
candidates for it, promotes the better ones and goes back on them. The service
must be running.`,
	}
	cmd.AddCommand(newPolicyShowCommand(), newPolicyVersionsCommand(), newPolicyTrainCommand(), newPolicyCandidateCommand(),
		newPolicyCompareCommand(), newPolicyPromoteCommand(), newPolicyRevertCommand(), newPolicyReleaseCommand())
	return cmd
}

// policyCommand is a command that asks the service and prints the answer.
func policyCommand[T any](cmd *cobra.Command, ask func(ctx context.Context, c *client.Client, args []string, out *T) error, print func(io.Writer, *T)) *cobra.Command {
	var asJSON bool
	cmd.RunE = withSettings(func(cmd *cobra.Command, args []string) (err error) {
		c, done, err := connect(cmd.Context())
		if err != nil {
			return err
		}
		defer closing(done, &err)
		var answer T
		if err := ask(cmd.Context(), c, args, &answer); err != nil {
			return err
		}
		if !asJSON {
			w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			print(w, &answer)
			return w.Flush()
		}
		body, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			return fmt.Errorf("encoding the answer: %w", err)
		}
		_, err = fmt.Println(string(body))
		return err
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newPolicyShowCommand() *cobra.Command {
	return policyCommand(&cobra.Command{Use: "show DECISION-POINT", Short: "The policy, its model, candidates and promotions", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, args []string, out *decide.PolicyState) error {
			return c.Get(ctx, policiesOf(args[0]), out)
		}, writePolicyState)
}

func writePolicyState(w io.Writer, s *decide.PolicyState) {
	fmt.Fprintf(w, "%s\t%s, version %d of the decision point\n", s.Decision, s.Policy.Type, s.PointVersion)
	if s.Model == nil {
		fmt.Fprintln(w, "model\tnone yet")
	} else {
		fmt.Fprintf(w, "model\tversion %d (build %d of %s), learned last %s from %d decisions\n",
			s.Model.Version, s.Model.Base, s.Model.BuiltAt.Format(time.DateTime), s.Model.UpdatedAt.Format(time.DateTime), s.Model.Decisions)
	}
	if s.Pin != nil {
		fmt.Fprintf(w, "gone back\tto version %d by %s: %s\n", s.Pin.Version, s.Pin.Actor, s.Pin.Reason)
	}
	for _, c := range s.Candidates {
		model := "no model"
		if c.Model != nil {
			model = fmt.Sprintf("model %d", c.Model.Version)
		}
		fmt.Fprintf(w, "candidate %s\t%s, %s\n", c.Key, c.Policy.Type, model)
	}
	for _, p := range s.Promotions {
		end := "in force"
		if p.EndedAt != nil {
			end = "until " + p.EndedAt.Format(time.DateTime) + ": " + p.EndReason
		}
		fmt.Fprintf(w, "promoted %s\t%s by %s, %s\n", p.Candidate, p.PromotedAt.Format(time.DateTime), p.Actor, end)
	}
}

func newPolicyVersionsCommand() *cobra.Command {
	var live bool
	var candidate string
	var limit int
	cmd := policyCommand(&cobra.Command{Use: "versions DECISION-POINT", Short: "Versions of the model, newest first", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, args []string, out *models.Listing) error {
			query := url.Values{"live": {fmt.Sprint(live)}, "limit": {fmt.Sprint(limit)}, "candidate": {candidate}}
			return c.Get(ctx, policiesOf(args[0], "versions")+"?"+query.Encode(), out)
		}, func(w io.Writer, l *models.Listing) {
			fmt.Fprintln(w, "version\tbuild\tcandidate\tlearned\tdecisions\treward per decision")
			for _, v := range l.Items {
				fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%d\t%.6g\n", v.Version, v.Base, v.Candidate, v.BuiltAt.Format(time.DateTime), v.Decisions, v.Reward/float64(max(1, v.Decisions)))
			}
		})
	cmd.Flags().BoolVar(&live, "live", false, "also the versions between builds")
	cmd.Flags().StringVar(&candidate, "candidate", "", "those of a candidate; * for all")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many, 200 at most")
	return cmd
}

func newPolicyTrainCommand() *cobra.Command {
	type trained struct {
		Models []decide.ModelState `json:"models"`
	}
	return policyCommand(&cobra.Command{Use: "train DECISION-POINT", Short: "Build its models now, where the log holds something new", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, args []string, out *trained) error {
			return c.Post(ctx, policiesOf(args[0], "train"), nil, out)
		}, func(w io.Writer, t *trained) {
			for _, m := range t.Models {
				fmt.Fprintf(w, "version %d\tbuilt %s from %d decisions\n", m.Version, m.BuiltAt.Format(time.DateTime), m.Decisions)
			}
		})
}

func newPolicyCandidateCommand() *cobra.Command {
	var policy, name string
	var automatic, remove bool
	var margin float64
	cmd := policyCommand(&cobra.Command{Use: "candidate DECISION-POINT CANDIDATE", Short: "Create, replace or remove a candidate policy", Args: cobra.ExactArgs(2)},
		func(ctx context.Context, c *client.Client, args []string, out *decide.PolicyState) error {
			path := policiesOf(args[0], "candidates", args[1])
			if remove {
				return c.Do(ctx, http.MethodDelete, path, nil, out)
			}
			if !json.Valid([]byte(policy)) {
				return fmt.Errorf(`--policy must be JSON, such as {"type": "bandit", "alpha": 0.25}`)
			}
			return c.Do(ctx, http.MethodPut, path, map[string]any{"name": name, "policy": json.RawMessage(policy), "automatic": automatic, "margin": margin}, out)
		}, writePolicyState)
	cmd.Flags().StringVar(&policy, "policy", "", "the policy as JSON")
	cmd.Flags().StringVar(&name, "name", "", "name in the console")
	cmd.Flags().BoolVar(&automatic, "automatic", false, "promote it as soon as the gate lets it pass")
	cmd.Flags().Float64Var(&margin, "margin", 0, "reward per decision that the lower end of its gain must be above")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove it")
	return cmd
}

func newPolicyCompareCommand() *cobra.Command {
	return policyCommand(&cobra.Command{Use: "compare DECISION-POINT CANDIDATE", Short: "How a candidate would have fared, and what the gate says", Args: cobra.ExactArgs(2)},
		func(ctx context.Context, c *client.Client, args []string, out *decide.Comparison) error {
			return c.Get(ctx, policiesOf(args[0], "candidates", args[1], "comparison"), out)
		}, func(w io.Writer, c *decide.Comparison) {
			fmt.Fprintf(w, "scored on %d decisions, of which %d wait for their outcomes\n", c.Scored, c.Waiting)
			for _, r := range c.Report.Refusals {
				fmt.Fprintf(w, "- %s\n", r)
			}
			fmt.Fprintln(w, "condition\tmet\tfigure\tmust be above")
			for _, check := range c.Checks {
				fmt.Fprintf(w, "%s\t%t\t%.6g\t%.6g\n", check.Name, check.Passed, check.Figure, check.Bound)
			}
			fmt.Fprintf(w, "gain\t%.6g\t%.6g to %.6g\n", c.Report.Gain.Value, c.Report.Gain.Lower, c.Report.Gain.Upper)
			if c.Passes {
				fmt.Fprintln(w, "The gate lets it pass.")
			} else {
				fmt.Fprintln(w, "The gate does not let it pass.")
			}
		})
}

func newPolicyPromoteCommand() *cobra.Command {
	var reason string
	var force bool
	cmd := policyCommand(&cobra.Command{Use: "promote DECISION-POINT CANDIDATE", Short: "Make a candidate the policy, where the gate lets it pass", Args: cobra.ExactArgs(2)},
		func(ctx context.Context, c *client.Client, args []string, out *decide.Promotion) error {
			return c.Post(ctx, policiesOf(args[0], "candidates", args[1], "promote"), map[string]any{"reason": reason, "force": force}, out)
		}, func(w io.Writer, p *decide.Promotion) {
			fmt.Fprintf(w, "%s is the policy since version %d of the decision point.\n", p.Candidate, p.ToVersion)
		})
	cmd.Flags().StringVar(&reason, "reason", "", "why; required")
	cmd.Flags().BoolVar(&force, "force", false, "although the gate does not let it pass")
	_ = cmd.MarkFlagRequired("reason") // fails for an unknown flag only
	return cmd
}

func newPolicyRevertCommand() *cobra.Command {
	var reason string
	var version int64
	cmd := policyCommand(&cobra.Command{Use: "revert DECISION-POINT", Short: "Go back: to the policy before the last promotion, or to a version of the model", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, args []string, out *decide.PolicyState) error {
			return c.Post(ctx, policiesOf(args[0], "revert"), map[string]any{"reason": reason, "version": version}, out)
		}, writePolicyState)
	cmd.Flags().StringVar(&reason, "reason", "", "why; required")
	cmd.Flags().Int64Var(&version, "version", 0, "version of the model; without it the promotion in force is undone")
	_ = cmd.MarkFlagRequired("reason") // fails for an unknown flag only
	return cmd
}

func newPolicyReleaseCommand() *cobra.Command {
	return policyCommand(&cobra.Command{Use: "release DECISION-POINT", Short: "Use the newest version of the model again", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, args []string, out *decide.PolicyState) error {
			return c.Post(ctx, policiesOf(args[0], "release"), nil, out)
		}, writePolicyState)
}
