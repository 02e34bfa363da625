package experiments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"quintet/internal/problem"
)

// Format is a form that a report can be had in.
type Format string

// The formats of a report.
const (
	JSONFormat     Format = "json"
	CSVFormat      Format = "csv"
	MarkdownFormat Format = "markdown"
	HTMLFormat     Format = "html"
	TextFormat     Format = "text"
)

// Formats lists every format.
func Formats() []Format {
	return []Format{JSONFormat, CSVFormat, MarkdownFormat, HTMLFormat, TextFormat}
}

// ContentType is the media type of a format.
func (f Format) ContentType() string {
	switch f {
	case CSVFormat:
		return "text/csv; charset=utf-8; header=present"
	case MarkdownFormat:
		return "text/markdown; charset=utf-8"
	case HTMLFormat:
		return "text/html; charset=utf-8"
	case TextFormat:
		return "text/plain; charset=utf-8"
	default:
		return "application/json"
	}
}

// Write prints a report in a format; an empty one is JSON. The same report gives the
// same bytes. HTML is one file that loads nothing and runs nothing.
func Write(w io.Writer, r *Report, f Format) error {
	var b bytes.Buffer
	var err error
	switch f {
	case "", JSONFormat:
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(r)
	case CSVFormat:
		err = writeCSV(&b, r)
	case MarkdownFormat:
		writeMarkdown(&b, r)
	case HTMLFormat:
		err = writeHTML(&b, r)
	case TextFormat:
		err = WriteText(&b, r)
	default:
		return problem.Invalid{{Field: "query.format", Rule: "must be " + formatNames(), Value: f}}
	}
	if err != nil {
		return fmt.Errorf("writing the report as %s: %w", f, err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	return nil
}

func formatNames() string {
	names := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// effect is that of a variant; nil for the control.
func (m *MetricReport) effect(variant string) *Effect {
	i := slices.IndexFunc(m.Effects, func(e Effect) bool { return e.Variant == variant })
	if i < 0 {
		return nil
	}
	return &m.Effects[i]
}

// state of a check in a word.
func (c *Check) state() string {
	switch {
	case !c.Passed:
		return "failed"
	case !c.Made:
		return "not yet"
	case c.Warning:
		return "take care"
	}
	return "passed"
}

// words puts a method into words.
func (m AnalysisMethod) words() string {
	switch m {
	case FixedMethod:
		return "a single look at the planned size"
	case BayesianMethod:
		return "Bayesian, with the experiment's prior"
	case GroupSequentialMethod:
		return "planned looks (group-sequential)"
	}
	return "always valid (sequential)"
}
