package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"quintet/decide/campaigns"
	"quintet/internal/client"
)

// newDryRunCommand tries a decision point on an audience.
func newDryRunCommand() *cobra.Command {
	var t campaigns.PointTrial
	var where, told string
	cmd := policyCommand(&cobra.Command{
		Use:   "dry-run DECISION-POINT",
		Short: "What a decision point would decide about an audience now",
		Long: `Asks a decision point about a sample of an audience, without deciding, sending
or reserving anything: who would get what, what each rule removes, expected
cost and value, and what its experiments could show. The service must be
running.`,
		Example: `  quintet dry-run home-hero --everybody
  quintet dry-run home-hero --segment loyal --without churned --sample 5000
  quintet dry-run home-hero --condition '{"plan": "paid"}' --context '{"device": "mobile"}'`,
		Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, c *client.Client, args []string, out *campaigns.DryRun) error {
		if where != "" {
			t.Audience.Condition = json.RawMessage(where)
			if !json.Valid(t.Audience.Condition) {
				return fmt.Errorf("--condition must be JSON: %s", where)
			}
		}
		if told != "" {
			if err := json.Unmarshal([]byte(told), &t.Context); err != nil {
				return fmt.Errorf("--context must be a JSON object: %w", err)
			}
		}
		return c.Do(ctx, http.MethodPost, "/v1/decision-points/"+url.PathEscape(args[0])+"/dry-run", t, out)
	}, writeDryRun)
	f := cmd.Flags()
	f.StringVar(&t.Audience.Segment, "segment", "", "key of a segment that people must be in")
	f.StringVar(&t.Audience.Without, "without", "", "key of a segment that people must not be in")
	f.StringVar(&where, "condition", "", "condition over traits, computed attributes and segments, as JSON")
	f.BoolVar(&t.Audience.Everybody, "everybody", false, "ask about everybody, without a segment or a condition")
	f.StringVar(&told, "context", "", "what each decision is told of the moment, as a JSON object")
	f.IntVar(&t.Sample, "sample", 1000, "most people who are asked about, 5000 at most")
	f.Float64Var(&t.Baseline, "baseline", 0.02, "conversion without contacts, for the power")
	return cmd
}

func writeDryRun(w io.Writer, d *campaigns.DryRun) {
	fmt.Fprintf(w, "audience\t%d people, %d of them asked about\n", d.Audience, d.Sample)
	fmt.Fprintf(w, "expected cost\t%.2f\n", d.Cost)
	fmt.Fprintf(w, "expected value\t%.2f, known of %.0f contacts\n", d.Value, d.Valued)
	for _, part := range []struct {
		title  string
		shares []campaigns.Share
	}{{"outcomes", d.Outcomes}, {"actions", d.Actions}, {"taken away by", d.Rules}} {
		for i, s := range part.shares {
			title := ""
			if i == 0 {
				title = part.title
			}
			fmt.Fprintf(w, "%s\t%s\t%.0f people\n", title, s.Name, s.People)
		}
	}
	if p := d.Power; p != nil {
		fmt.Fprintf(w, "holdout\t%s\n", powerText(p))
	}
	for _, c := range d.Experiments {
		for i, arm := range c.Arms {
			title := ""
			if i == 0 {
				title = c.Experiment
			}
			fmt.Fprintf(w, "%s\t%s\t%.0f people\n", title, arm.Variant, arm.People)
		}
		if c.Power != nil {
			fmt.Fprintf(w, "\t%s\n", powerText(c.Power))
		}
	}
}

func powerText(p *campaigns.Power) string {
	smallest := "no lift would be found for sure"
	if p.Effect > 0 {
		smallest = fmt.Sprintf("a lift of %.1f %% is found with power 0.8", p.Effect*100)
	}
	return fmt.Sprintf("%.0f against %.0f people: %s (one of 10 %% with %.2f), at a conversion of %.4g", p.Treated, p.Held, smallest, p.AtTenth, p.Baseline)
}
