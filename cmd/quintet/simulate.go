package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newSimulateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Live through days of the generated shop at speed",
	}
	cmd.AddCommand(newSimulateWeekCommand())
	return cmd
}

func newSimulateWeekCommand() *cobra.Command {
	p := weekPlan{}
	var from string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "week", Short: "A week with visitors, campaigns and scenarios at once, judged by the truth and audited", Args: cobra.NoArgs,
		Long: `Starts the service on embedded engines in an empty directory by a clock of its
own, and lives through a week of the generated shop: visitors who are shown
offers, two campaigns, three scenarios, caps, quiet hours in eight time zones,
budgets, promo codes, people who unsubscribe, and a provider that is busy now
and then. Then it prints what the reports say beside what the simulator knows,
the groups of the decision point, and every message in the log that broke a
rule, as plain SQL finds it. It ends with an error when there is one, or when
an always-valid interval does not have the truth.`,
		Example: "  quintet simulate week --people 5000\n  quintet simulate week --people 5000 --from 2026-10-21   # clocks go back on the 25th",
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			if p.from, err = time.Parse(time.DateOnly, from); err != nil {
				return errors.New("--from must be a date such as 2026-03-25")
			}
			if p.people < 100 || p.people > 1_000_000 || p.days < 1 || p.days > 60 {
				return errors.New("--people must be from 100 to 1000000 and --days from 1 to 60")
			}
			if p.step < time.Minute || p.step > time.Hour || time.Hour%p.step != 0 {
				return errors.New("--step must be from 1m to 1h and divide an hour")
			}
			cfg, remove, err := weekDir(cmd.Context().Value(settingsKey{}).(settings).cfg)
			if err != nil {
				return err
			}
			defer closing(remove, &err)
			show := bar("Hours")
			out, err := simulateWeek(cmd.Context(), cfg, p, func(share float64) { show(int(share*float64(24*p.days)), 24*p.days) })
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(os.Stdout).Encode(out.summary())
			} else {
				err = out.writeText(os.Stdout)
			}
			return errors.Join(err, out.verdict())
		}),
	}
	cmd.Flags().Uint64Var(&p.seed, "seed", 1, "seed of the week")
	cmd.Flags().IntVar(&p.people, "people", 5000, "number of people")
	cmd.Flags().StringVar(&from, "from", "2026-03-25", "first day; clocks change in Europe on 2026-03-29 and 2026-10-25")
	cmd.Flags().IntVar(&p.days, "days", 7, "number of days")
	cmd.Flags().DurationVar(&p.step, "step", 30*time.Minute, "step of the clock")
	cmd.Flags().DurationVar(&p.learn, "learn", 6*time.Hour, "time between two looks of the models at the log")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// verdict is an error where a rule was broken, or the truth was missed.
func (o *weekOutcome) verdict() error {
	var errs []error
	if n := len(o.Violations); n > 0 {
		errs = append(errs, fmt.Errorf("the log has %d violations of rules", n))
	}
	if o.Lived.Twice > 0 {
		errs = append(errs, fmt.Errorf("%d messages arrived twice", o.Lived.Twice))
	}
	for _, e := range o.Effects {
		if e.Method == alwaysValid && !e.Covers() {
			errs = append(errs, fmt.Errorf("the always-valid interval of %s does not have the truth", e.Metric))
		}
	}
	return errors.Join(errs...)
}

// summary is what is printed as JSON.
func (o *weekOutcome) summary() map[string]any {
	violations := o.Violations
	if violations == nil {
		violations = []violation{}
	}
	return map[string]any{
		"seed": o.Plan.seed, "people": o.Plan.people, "from": o.Plan.from, "days": o.Plan.days, "seconds": o.Took.Seconds(),
		"visits": o.Lived.Visits, "messages": len(o.Lived.Arrivals), "busy": o.Lived.Busy, "treated": o.Treated, "heldOut": o.HeldOut,
		"contactCost": o.Contacts, "apart": o.Apart, "effects": o.Effects, "groups": o.Groups, "audited": o.Checked, "violations": violations, "sent": o.Sent, "budgets": o.Budgets,
	}
}

func (o *weekOutcome) writeText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%d people, %d days from %s, seed %d: %d visits and %d messages in %.0f s\n\n", o.Plan.people, o.Plan.days, o.Plan.from.Format(time.DateOnly), o.Plan.seed, o.Lived.Visits, len(o.Lived.Arrivals), o.Took.Seconds())
	fmt.Fprintf(w, "what sent\tmessages\t\n")
	for _, s := range o.Sent {
		fmt.Fprintf(w, "%s %s\t%d\t\n", s.Origin, s.Key, s.Messages)
	}
	fmt.Fprintf(w, "\nbudget\tspent\tleft\t\n")
	for _, b := range o.Budgets {
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t\n", b.Key, b.Spent, b.Left)
	}
	fmt.Fprintf(w, "\n%d treated and %d held out, per person\testimate\t95 %%\ttruth\t\n", o.Treated, o.HeldOut)
	for _, e := range o.Effects {
		fmt.Fprintf(w, "%s, %s\t%+.3f\t%+.3f to %+.3f\t%+.3f\t\n", e.Metric, e.Method, e.Estimate, e.Lower, e.Upper, e.Truth)
	}
	fmt.Fprintf(w, "difference of the arms, as people lived\t%+.3f\t\t\t\n", o.Apart)
	fmt.Fprintf(w, "\ngroups of the letters\tpeople\tmessages\tmargin\tunsubscribed\tto business as usual, 95 %%\t\n")
	for _, g := range o.Groups {
		fmt.Fprintf(w, "%s\t%d\t%.2f\t%.3f\t%.2f %%\t%+.2f (%+.2f to %+.2f)\t\n", g.Variant, g.People, g.Messages, g.Margin, 100*g.Unsubscribed, 100*g.Difference, 100*g.Lower, 100*g.Upper)
	}
	fmt.Fprintf(w, "\naudit\tviolations\t\n")
	counts := map[string]int{}
	for _, v := range o.Violations {
		counts[v.Rule]++
	}
	for _, rule := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%s\t%d\t\n", rule, counts[rule])
	}
	fmt.Fprintf(w, "%d kinds looked for, of %d messages\t%d\t\n", len(o.Checked), len(o.Lived.Arrivals), len(o.Violations))
	return w.Flush()
}
