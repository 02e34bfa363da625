package experiments

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// writeMarkdown prints a report as a document: checks, recommendation, figures.
func writeMarkdown(b *bytes.Buffer, r *Report) {
	title := r.Experiment
	if r.Name != "" {
		title = r.Name + " (" + r.Experiment + ")"
	}
	fmt.Fprintf(b, "# %s\n\n%s, as of %s\n\n", markdown(title), capital(string(r.Status)), r.At.Format(time.RFC3339))
	if !r.ChecksPassed {
		b.WriteString("**A check failed: the figures below are not to be believed.**\n\n")
	}
	b.WriteString("## Checks\n\n| check | outcome | |\n|---|---|---|\n")
	for i := range r.Checks {
		c := &r.Checks[i]
		fmt.Fprintf(b, "| %s | %s | %s |\n", markdown(c.Name), c.state(), markdown(c.Detail))
	}
	fmt.Fprintf(b, "\n## Recommendation\n\n**%s**: %s\n\nConclusions are drawn by: %s, at a level of %g.\n", markdown(r.Recommendation.title()), markdown(r.Recommendation.Reason), r.Analysis.Method.words(), r.Analysis.Alpha)
	if len(r.Guardrails) > 0 {
		b.WriteString("\n## Guardrails\n\n| metric | variant | state | |\n|---|---|---|---|\n")
		for _, g := range r.Guardrails {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", markdown(g.Metric), markdown(g.Variant), g.State, markdown(g.Detail))
		}
	}
	for i := range r.Metrics {
		r.Metrics[i].writeMarkdown(b, "##")
	}
	if d := r.Dimension; d != nil {
		for i := range d.Values {
			fmt.Fprintf(b, "\n## %s: %s\n", markdown(d.Name), markdown(d.Values[i].Value))
			for j := range d.Values[i].Metrics {
				d.Values[i].Metrics[j].writeMarkdown(b, "###")
			}
		}
	}
	b.WriteString("\n## Queries\n")
	for _, q := range r.SQL {
		// A fence that is longer than any within.
		fence := "```"
		for strings.Contains(q, fence) {
			fence += "`"
		}
		fmt.Fprintf(b, "\n%ssql\n%s\n%s\n", fence, q, fence)
	}
}

// title is a recommendation in a few words.
func (r *Recommendation) title() string {
	switch r.Action {
	case FixFirst:
		return "Find out what is wrong"
	case ShipVariant:
		return "Ship " + r.Variant
	case KeepControl:
		return "Keep the control"
	case DropVariant:
		return "Take out " + r.Variant
	case Wait:
		return "Wait"
	}
	return "Nothing to decide"
}

func (m *MetricReport) writeMarkdown(b *bytes.Buffer, level string) {
	fmt.Fprintf(b, "\n%s %s\n\n", level, markdown(m.title()))
	if m.Problem != "" {
		b.WriteString(markdown(m.Problem) + "\n")
		return
	}
	fmt.Fprintf(b, "%s, %s, within %s of the first exposure\n\n", m.Role, m.Kind, window(m.WindowHours))
	b.WriteString("| arm | people | mean | uplift | 95 %, one look | always valid | relative | 95 %, one look | adjusted | chance to win | verdict |\n|---|---:|---:|---:|---|---|---:|---|---|---:|---|\n")
	for i := range m.Arms {
		cells := m.cells(&m.Arms[i])
		for j := range cells {
			cells[j] = markdown(cells[j])
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
	for _, note := range m.remarks() {
		fmt.Fprintf(b, "\n- %s", markdown(note))
	}
	b.WriteByte('\n')
}

func (m *MetricReport) title() string {
	if m.Name != "" && m.Name != m.Key {
		return m.Name + " (" + m.Key + ")"
	}
	return m.Key
}

// cells are the figures of an arm as a reader sees them.
func (m *MetricReport) cells(a *MetricArm) []string {
	out := []string{arm(a.Variant, m.effect(a.Variant) == nil), strconv.FormatInt(a.Units, 10), a.Problem}
	if a.Mean != nil {
		out[2] = figure(*a.Mean)
	}
	e := m.effect(a.Variant)
	if e == nil {
		return append(out, "", "", "", "", "", "", "", "")
	}
	estimate, one, valid, relative, relativeOne, adjusted, chance, verdict := e.Problem, "", "", "", "", "", "", ""
	if e.Absolute != nil {
		estimate, one = signed(e.Absolute.Estimate), between(e.Absolute)
	}
	if e.Sequential != nil {
		valid = between(e.Sequential.Absolute)
	}
	if e.Relative != nil {
		relative, relativeOne = percent(e.Relative.Estimate), percent(e.Relative.Lower)+" .. "+percent(e.Relative.Upper)
	}
	if e.Adjusted != nil && e.Adjusted.Absolute != nil {
		adjusted = signed(e.Adjusted.Absolute.Estimate) + " (" + between(e.Adjusted.Absolute) + ")"
	}
	if e.Bayesian != nil {
		chance = strconv.FormatFloat(100*e.Bayesian.ChanceToWin, 'f', 1, 64) + " %"
	}
	if e.Decisive != nil {
		verdict = string(e.Decisive.Verdict)
	}
	return append(out, estimate, one, valid, relative, relativeOne, adjusted, chance, verdict)
}

// remarks are the sentences below the table of a metric.
func (m *MetricReport) remarks() []string {
	var out []string
	for i := range m.Effects {
		e := &m.Effects[i]
		if e.RelativeProblem != "" {
			out = append(out, fmt.Sprintf("No relative effect of %s: %s", e.Variant, e.RelativeProblem))
		}
		if e.Decisive != nil && e.Decisive.Detail != "" {
			out = append(out, e.Variant+": "+lowerFirst(e.Decisive.Detail))
		}
		if e.Adjusted != nil && e.Adjusted.VarianceReduction != nil {
			out = append(out, fmt.Sprintf("%s, adjusted by %s: %.3g %% less variance.", e.Variant, e.Adjusted.By, 100**e.Adjusted.VarianceReduction))
		}
		if p := e.Projection; p != nil {
			if p.PerYear != nil {
				out = append(out, fmt.Sprintf("%s comes to %s a year (%s) if everybody has it: %s", e.Variant, signed(p.PerYear.Estimate), between(p.PerYear), p.Detail))
			} else {
				out = append(out, fmt.Sprintf("No value of a year of %s: %s", e.Variant, p.Detail))
			}
		}
	}
	return append(out, m.Notes...)
}

func between(i *Interval) string {
	if i == nil {
		return ""
	}
	return signed(i.Lower) + " .. " + signed(i.Upper)
}

func percent(v float64) string { return fmt.Sprintf("%+.1f %%", 100*v) }

// markdown makes a text that may hold anything one that is shown as it is.
func markdown(s string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "\n", " ", "\r", " ", "<", "&lt;", ">", "&gt;", "&", "&amp;", "[", `\[`, "]", `\]`, "*", `\*`, "_", `\_`, "`", "\\`").Replace(s)
}
