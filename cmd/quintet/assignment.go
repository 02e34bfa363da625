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

	"quintet/experiments"
)

func newAssignmentCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "assignment", Short: "Look into who gets which variant"}
	cmd.AddCommand(newAssignmentAuditCommand())
	return cmd
}

func newAssignmentAuditCommand() *cobra.Command {
	var asJSON bool
	var unit, at string
	cmd := &cobra.Command{
		Use:   "audit EXPERIMENT --unit UNIT",
		Short: "Say why a person got a variant on a date",
		Long: `Computes again which variant of an experiment a person got at a moment, from the
definitions that were valid then, and prints every step beside what the log has.`,
		Args: cobra.ExactArgs(1),
		RunE: withSettings(func(cmd *cobra.Command, args []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			query := url.Values{"unit": {unit}}
			if at != "" {
				query.Set("at", at)
			}
			var audit experiments.AssignmentAudit
			if err := c.Get(cmd.Context(), "/v1/experiments/"+url.PathEscape(args[0])+"/assignment?"+query.Encode(), &audit); err != nil {
				return err
			}
			if !asJSON {
				return writeAudit(os.Stdout, &audit)
			}
			body, err := json.MarshalIndent(audit, "", "  ")
			if err != nil {
				return fmt.Errorf("encoding the audit: %w", err)
			}
			_, err = fmt.Println(string(body))
			return err
		}),
	}
	cmd.Flags().StringVar(&unit, "unit", "", "profile id, or namespace:value such as userId:u42")
	cmd.Flags().StringVar(&at, "at", "", "the moment (RFC 3339); now unless given")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	_ = cmd.MarkFlagRequired("unit") // fails for a flag that is not there
	return cmd
}

// writeAudit prints an audit for people.
func writeAudit(w io.Writer, a *experiments.AssignmentAudit) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "%s\n\nexperiment\t%s, version %d, valid from %s\n", a.Summary, a.Experiment, a.Version, a.ValidFrom.Format(time.RFC3339))
	_, _ = fmt.Fprintf(t, "moment\t%s\nunit\t%s\nfacts\t%s\n\n", a.At.Format(time.RFC3339), a.Unit, a.Facts)
	for _, s := range a.Steps {
		mark := "ok"
		if !s.Passed {
			mark = "OUT"
		}
		detail := s.Detail
		if s.Bucket != nil {
			detail += fmt.Sprintf(" (%s of %q and %q is %.6f)", s.Hash, s.Salt, s.Unit, *s.Bucket)
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", mark, s.Check, detail)
	}
	for _, r := range a.Recorded {
		_, _ = fmt.Fprintf(t, "log\t%s\t%s %s\n", r.Variant, r.ExposedAt.Format(time.RFC3339), r.DecisionID)
	}
	if a.Agrees != nil && !*a.Agrees {
		_, _ = fmt.Fprintln(t, "The log has another variant than the one computed here.")
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("printing the audit: %w", err)
	}
	return nil
}
