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

// WriteText prints a report as tables for a terminal: checks first, then what is
// recommended, then each metric with its arms and effects.
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
		case c.Warning:
			mark = "care"
		}
		fmt.Fprintf(&b, "  %s %s: %s\n", mark, c.Name, c.Detail)
	}
	fmt.Fprintf(&b, "\n  %s: %s\n", r.Recommendation.title(), r.Recommendation.Reason)
	for _, g := range r.Guardrails {
		fmt.Fprintf(&b, "  Guardrail %s of %s %s: %s\n", g.Metric, g.Variant, g.State, g.Detail)
	}
	for i := range r.Metrics {
		r.Metrics[i].writeText(&b)
	}
	if d := r.Dimension; d != nil {
		for i := range d.Values {
			fmt.Fprintf(&b, "\n%s: %s\n", d.Name, d.Values[i].Value)
			for j := range d.Values[i].Metrics {
				d.Values[i].Metrics[j].writeText(&b)
			}
		}
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
	fmt.Fprintf(b, "\n%s", m.keyFirst())
	if m.Problem != "" {
		fmt.Fprintf(b, ": %s\n", m.Problem)
		return
	}
	fmt.Fprintf(b, ", %s within %s of the first exposure\n", m.Kind, window(m.WindowHours))
	table := newTable(b)
	fmt.Fprintln(table, "  arm\tpeople\tmean\tuplift\t95 % interval\trelative\t95 % interval\tp")
	for _, a := range m.Arms {
		mean := a.Problem
		if a.Mean != nil {
			mean = figure(*a.Mean)
		}
		e := m.effect(a.Variant)
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
		m.Effects[i].writeText(b)
	}
	for _, note := range m.remarks() {
		fmt.Fprintf(b, "  %s\n", note)
	}
}

// writeText prints what holds however often somebody looks.
func (e *Effect) writeText(b *bytes.Buffer) {
	if e.Sequential == nil || e.Sequential.Absolute == nil {
		return
	}
	fmt.Fprintf(b, "  %s, always valid: %s .. %s", e.Variant, signed(e.Sequential.Absolute.Lower), signed(e.Sequential.Absolute.Upper))
	if r := e.Sequential.Relative; r != nil {
		fmt.Fprintf(b, " (%+.1f .. %+.1f %%)", 100*r.Lower, 100*r.Upper)
	}
	if e.Bayesian != nil {
		fmt.Fprintf(b, ", chance to win %.1f %%", 100*e.Bayesian.ChanceToWin)
	}
	b.WriteByte('\n')
}

// keyFirst is the key with the name behind it.
func (m *MetricReport) keyFirst() string {
	if m.Name != "" && m.Name != m.Key {
		return m.Key + " (" + m.Name + ")"
	}
	return m.Key
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
