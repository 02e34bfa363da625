package experiments

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
	"time"
)

// WriteText prints a report as tables for a terminal: checks first, then each
// metric with its arms and effects.
func WriteText(w io.Writer, r *Report) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Experiment %s", r.Experiment)
	if r.Name != "" {
		fmt.Fprintf(&b, " (%s)", r.Name)
	}
	fmt.Fprintf(&b, ", %s, as of %s\n\n", r.Status, r.At.Format(time.RFC3339))
	if !r.ChecksPassed {
		b.WriteString("A CHECK FAILED: the figures below are not to be believed.\n\n")
	}
	for _, c := range r.Checks {
		mark := "ok  "
		switch {
		case !c.Passed:
			mark = "FAIL"
		case !c.Made:
			mark = "... "
		}
		fmt.Fprintf(&b, "  %s %s: %s\n", mark, c.Name, c.Detail)
	}
	for i := range r.Metrics {
		r.Metrics[i].writeText(&b)
	}
	if len(r.Metrics) == 0 {
		b.WriteByte('\n')
		table := newTable(&b)
		fmt.Fprintln(table, "  arm\tpeople")
		for _, a := range r.Arms {
			fmt.Fprintf(table, "  %s\t%d\n", arm(a.Variant, a.Control), a.Units)
		}
		_ = table.Flush() // into a buffer, which takes everything
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	return nil
}

func (m *MetricReport) writeText(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n%s", m.Key)
	if m.Name != "" && m.Name != m.Key {
		fmt.Fprintf(b, " (%s)", m.Name)
	}
	if m.Problem != "" {
		fmt.Fprintf(b, ": %s\n", m.Problem)
		return
	}
	fmt.Fprintf(b, ", %s within %s of the first exposure\n", m.Kind, window(m.WindowHours))
	effects := make(map[string]*Effect, len(m.Effects))
	for i := range m.Effects {
		effects[m.Effects[i].Variant] = &m.Effects[i]
	}
	table := newTable(b)
	fmt.Fprintln(table, "  arm\tpeople\tmean\tuplift\t95 % interval\trelative\t95 % interval\tp")
	for _, a := range m.Arms {
		mean := a.Problem
		if a.Mean != nil {
			mean = figure(*a.Mean)
		}
		e := effects[a.Variant]
		fmt.Fprintf(table, "  %s\t%d\t%s", arm(a.Variant, e == nil), a.Units, mean)
		switch {
		case e == nil:
			fmt.Fprint(table, "\t\t\t\t\t")
		case e.Absolute == nil:
			fmt.Fprintf(table, "\t%s\t\t\t\t", e.Problem)
		default:
			fmt.Fprintf(table, "\t%s\t%s .. %s", signed(e.Absolute.Estimate), signed(e.Absolute.Lower), signed(e.Absolute.Upper))
			if e.Relative != nil {
				fmt.Fprintf(table, "\t%+.1f %%\t%+.1f .. %+.1f %%", 100*e.Relative.Estimate, 100*e.Relative.Lower, 100*e.Relative.Upper)
			} else {
				fmt.Fprint(table, "\t-\t")
			}
			fmt.Fprintf(table, "\t%s", strconv.FormatFloat(*e.PValue, 'g', 3, 64))
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush() // into a buffer, which takes everything
	for i := range m.Effects {
		if e := &m.Effects[i]; e.RelativeProblem != "" {
			fmt.Fprintf(b, "  No relative effect of %s: %s\n", e.Variant, e.RelativeProblem)
		}
	}
	for _, note := range m.Notes {
		fmt.Fprintf(b, "  %s\n", note)
	}
}

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 4, 2, ' ', 0) }

func arm(variant string, control bool) string {
	if control {
		return variant + " (control)"
	}
	return variant
}

func window(hours float64) string {
	if days := hours / 24; days >= 2 && days == math.Trunc(days) {
		return fmt.Sprintf("%g days", days)
	}
	return fmt.Sprintf("%g h", hours)
}

// figure prints five significant digits, which is more than any interval here
// justifies.
func figure(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }

func signed(v float64) string {
	if v < 0 {
		return figure(v)
	}
	return "+" + figure(v)
}
