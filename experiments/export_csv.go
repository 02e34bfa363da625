package experiments

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// csvColumns are those of the table: one row for each metric and arm, over all people
// and, where a dimension was asked for, within each of its values.
var csvColumns = []string{
	"checksPassed", "experiment", "asOf", "at", "dimension", "value", "metric", "role", "kind", "variant", "control", "units", "matured",
	"sum", "mean", "standardError",
	"absolute", "absoluteLower", "absoluteUpper", "relative", "relativeLower", "relativeUpper", "pValue",
	"sequentialAbsoluteLower", "sequentialAbsoluteUpper", "sequentialRelativeLower", "sequentialRelativeUpper", "sequentialPValue",
	"adjustedAbsolute", "adjustedAbsoluteLower", "adjustedAbsoluteUpper", "adjustedPValue", "varianceReduction",
	"chanceToWin", "riskOfShipping", "method", "correctedPValue", "verdict", "perYear", "perYearLower", "perYearUpper", "costPerPerson", "problem",
}

// writeCSV prints the figures as a table.
func writeCSV(w io.Writer, r *Report) error {
	out := csv.NewWriter(w)
	_ = out.Write(csvColumns) // Error tells
	rows := func(dimension, value string, arms []ReportArm, metrics []MetricReport) {
		for i := range metrics {
			for j := range metrics[i].Arms {
				_ = out.Write(csvRow(r, dimension, value, arms, &metrics[i], &metrics[i].Arms[j]))
			}
		}
	}
	rows("", "", r.Arms, r.Metrics)
	if d := r.Dimension; d != nil {
		for i := range d.Values {
			rows(d.Name, d.Values[i].Value, d.Values[i].Arms, d.Values[i].Metrics)
		}
	}
	out.Flush()
	return out.Error()
}

func csvRow(r *Report, dimension, value string, arms []ReportArm, m *MetricReport, a *MetricArm) []string {
	row := make([]string, 0, len(csvColumns))
	text := func(values ...string) {
		for _, v := range values {
			row = append(row, plainCell(v))
		}
	}
	num := func(values ...*float64) {
		for _, v := range values {
			row = append(row, digits(v))
		}
	}
	control := false
	var perPerson *float64
	for i := range arms {
		if arms[i].Variant == a.Variant {
			control = arms[i].Control
			if arms[i].Costs != nil {
				perPerson = arms[i].Costs.PerPerson
			}
		}
	}
	text(strconv.FormatBool(r.ChecksPassed), r.Experiment, r.AsOf.Format(time.RFC3339Nano), r.At.Format(time.RFC3339Nano), dimension, value,
		m.Key, string(m.Role), string(m.Kind), a.Variant, strconv.FormatBool(control), strconv.FormatInt(a.Units, 10), strconv.FormatInt(a.Matured, 10))
	num(a.Sum, a.Mean, a.StandardError)
	e := m.effect(a.Variant)
	if e == nil {
		e = &Effect{}
	}
	num(bounds(e.Absolute)...)
	num(bounds(e.Relative)...)
	num(e.PValue)
	sequential := e.Sequential
	if sequential == nil {
		sequential = &Figures{}
	}
	num(bounds(sequential.Absolute)[1:]...)
	num(bounds(sequential.Relative)[1:]...)
	num(sequential.PValue)
	adjusted := e.Adjusted
	if adjusted == nil {
		adjusted = &Adjustment{}
	}
	num(bounds(adjusted.Absolute)...)
	num(adjusted.PValue, adjusted.VarianceReduction)
	if b := e.Bayesian; b != nil {
		num(&b.ChanceToWin, &b.RiskOfShipping)
	} else {
		num(nil, nil)
	}
	if d := e.Decisive; d != nil {
		text(string(d.Method))
		num(d.CorrectedPValue)
		text(string(d.Verdict))
	} else {
		text("", "", "")
	}
	if e.Projection != nil {
		num(bounds(e.Projection.PerYear)...)
	} else {
		num(nil, nil, nil)
	}
	num(perPerson)
	text(strings.TrimSpace(m.Problem + " " + a.Problem + " " + e.Problem))
	return row
}

// bounds are estimate, lower and upper of an interval that may be missing.
func bounds(i *Interval) []*float64 {
	if i == nil {
		return []*float64{nil, nil, nil}
	}
	return []*float64{&i.Estimate, &i.Lower, &i.Upper}
}

// digits is a number with all its digits; empty where there is none.
func digits(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}

// plainCell keeps spreadsheets from taking a text for a formula.
func plainCell(v string) string {
	if v != "" && strings.ContainsRune("=+-@\t\r", rune(v[0])) {
		return "'" + v
	}
	return v
}
