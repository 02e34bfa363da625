package experiments

import (
	_ "embed"
	"html/template"
	"io"
	"strconv"
	"time"
)

//go:embed report.html
var reportPage string

// page is parsed once; the file is part of the program.
var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"intervals": intervalChart,
	"series":    seriesChart,
	"moment":    func(t time.Time) string { return t.Format(time.RFC3339) },
	"state":     func(c Check) string { return c.state() },
	"cells":     func(m *MetricReport, a MetricArm) []string { return m.cells(&a) },
	"remarks":   func(m *MetricReport) []string { return m.remarks() },
	"title":     func(m *MetricReport) string { return m.title() },
	"window":    window,
	"each": func(list []MetricReport) []*MetricReport {
		out := make([]*MetricReport, len(list))
		for i := range list {
			out[i] = &list[i]
		}
		return out
	},
	"advice": func(r Recommendation) string { return r.title() },
	"words":  func(m AnalysisMethod) string { return m.words() },
	"share":  func(v float64) string { return strconv.FormatFloat(100*v, 'g', 4, 64) + " %" },
	"figure": func(v *float64) string {
		if v == nil {
			return ""
		}
		return figure(*v)
	},
}).Parse(reportPage))

// writeHTML prints a report as a page that stands for itself: no script, no font, no
// picture from elsewhere.
func writeHTML(w io.Writer, r *Report) error { return page.Execute(w, r) }
