package experiments

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"
)

// Charts are drawn as SVG, in the colours of the page around them: class names only,
// no script. Coordinates have one decimal, so that the same figures give the same
// bytes.

const (
	chartWidth  = 720.0
	labelWidth  = 140.0
	valueWidth  = 200.0
	rowHeight   = 34.0
	axisHeight  = 26.0
	seriesTall  = 220.0
	maxTicks    = 6
	chartMargin = 8.0
)

// axis maps values to places.
type axis struct{ from, to, start, end float64 }

func (a axis) at(v float64) float64 {
	if a.to == a.from {
		return (a.start + a.end) / 2
	}
	return a.start + (v-a.from)/(a.to-a.from)*(a.end-a.start)
}

// ticks are round values within the axis.
func (a axis) ticks() []float64 {
	span := a.to - a.from
	if !(span > 0) || math.IsInf(span, 0) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10(span/maxTicks)))
	for _, m := range []float64{1, 2, 5, 10} {
		if span/(step*m) <= maxTicks {
			step *= m
			break
		}
	}
	var out []float64
	for i := math.Ceil(a.from / step); i*step <= a.to+step*1e-9 && len(out) <= 2*maxTicks; i++ {
		out = append(out, i*step)
	}
	return out
}

// scaleOf is an axis that shows zero and all values, with some air.
func scaleOf(values []float64, start, end float64) axis {
	low, high := 0.0, 0.0
	for _, v := range values {
		low, high = math.Min(low, v), math.Max(high, v)
	}
	if low == high {
		high = low + 1
	}
	air := (high - low) * 0.06
	return axis{low - air, high + air, start, end}
}

// intervalChart draws the decisive intervals of a metric, the one of a single look
// thinner behind; relative ones where every arm has one. Empty without any.
func intervalChart(m *MetricReport) template.HTML {
	relative := true
	var shown []*Effect
	for i := range m.Effects {
		if e := &m.Effects[i]; e.Decisive != nil && (e.Decisive.Absolute != nil || e.Decisive.Relative != nil) {
			shown = append(shown, e)
			relative = relative && e.Decisive.Relative != nil
		}
	}
	pick := func(absolute, rel *Interval) *Interval {
		if relative {
			return rel
		}
		return absolute
	}
	var values []float64
	for _, e := range shown {
		for _, i := range []*Interval{pick(e.Decisive.Absolute, e.Decisive.Relative), pick(e.Absolute, e.Relative)} {
			if i != nil {
				values = append(values, i.Lower, i.Upper)
			}
		}
	}
	if len(values) == 0 {
		return ""
	}
	x := scaleOf(values, labelWidth, chartWidth-valueWidth)
	tall := float64(len(shown))*rowHeight + axisHeight
	var b strings.Builder
	openSVG(&b, tall, "Effects on "+m.Key+" with their intervals")
	x.grid(&b, 0, tall-axisHeight, relative)
	for row, e := range shown {
		y := (float64(row) + .5) * rowHeight
		text(&b, "label", labelWidth-chartMargin, y+4, "end", e.Variant)
		if one := pick(e.Absolute, e.Relative); one != nil {
			fmt.Fprintf(&b, `<line class="one" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, x.at(one.Lower), x.at(one.Upper), y, y)
		}
		i := pick(e.Decisive.Absolute, e.Decisive.Relative)
		if i == nil {
			continue
		}
		class := "band " + string(e.Decisive.Verdict)
		fmt.Fprintf(&b, `<line class="%s" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, class, x.at(i.Lower), x.at(i.Upper), y, y)
		fmt.Fprintf(&b, `<circle class="%s" cx="%.1f" cy="%.1f" r="5"/>`, class, x.at(i.Estimate), y)
		text(&b, "value", chartWidth-valueWidth+chartMargin, y+4, "start", amount(i.Estimate, relative)+" ("+strings.TrimSuffix(amount(i.Lower, relative), " %")+" .. "+amount(i.Upper, relative)+")")
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // numbers and escaped text only
}

// seriesChart draws the effects over the days with their always-valid bands. Empty
// with fewer than two days.
func seriesChart(m *MetricReport) template.HTML {
	relative := !slices.ContainsFunc(m.Series, func(p SeriesPoint) bool { return p.Absolute != nil && p.Relative == nil })
	pick := func(p *SeriesPoint) *Interval {
		if relative {
			return p.Relative
		}
		return p.Absolute
	}
	var days, variants []string
	var values []float64
	for i := range m.Series {
		p := &m.Series[i]
		if pick(p) == nil {
			continue
		}
		if !slices.Contains(days, p.Day) {
			days = append(days, p.Day)
		}
		if !slices.Contains(variants, p.Variant) {
			variants = append(variants, p.Variant)
		}
	}
	if len(days) < 2 {
		return ""
	}
	slices.Sort(days)
	// The first bands are wider than anything to be seen: the scale is that of the
	// later half, and what is beyond is cut.
	for i := range m.Series {
		p := &m.Series[i]
		if v := pick(p); v != nil && p.Day >= days[len(days)/3] {
			values = append(values, v.Lower, v.Upper)
		}
	}
	x := axis{0, float64(len(days) - 1), labelWidth / 2, chartWidth - valueWidth}
	y := scaleOf(values, seriesTall-axisHeight, chartMargin)
	var b strings.Builder
	openSVG(&b, seriesTall, "Effect on "+m.Key+" over time with its always-valid band")
	fmt.Fprintf(&b, `<clipPath id="c-%[1]s"><rect x="%.1[2]f" y="%.1[3]f" width="%.1[4]f" height="%.1[5]f"/></clipPath>`,
		html.EscapeString(identifier(m.Key)), x.start, y.end, x.end-x.start, y.start-y.end)
	for _, t := range y.ticks() {
		class := "grid"
		if math.Abs(t) < (y.to-y.from)*1e-9 {
			class, t = "zero", 0
		}
		fmt.Fprintf(&b, `<line class="%s" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, class, x.start, x.end, y.at(t), y.at(t))
		text(&b, "tick", x.start-4, y.at(t)+4, "end", amount(t, relative))
	}
	for i, day := range days {
		if i == 0 || i == len(days)-1 {
			text(&b, "tick", x.at(float64(i)), seriesTall-6, "middle", day)
		}
	}
	for n, variant := range variants {
		var upper, lower, middle []string
		last := 0.0
		for i := range m.Series {
			p := &m.Series[i]
			v := pick(p)
			if v == nil || p.Variant != variant {
				continue
			}
			at := x.at(float64(slices.Index(days, p.Day)))
			upper = append(upper, fmt.Sprintf("%.1f,%.1f", at, y.at(v.Upper)))
			lower = append(lower, fmt.Sprintf("%.1f,%.1f", at, y.at(v.Lower)))
			middle = append(middle, fmt.Sprintf("%.1f,%.1f", at, y.at(v.Estimate)))
			last = y.at(v.Estimate)
		}
		slices.Reverse(lower)
		colour := fmt.Sprintf("s%d", n%6)
		fmt.Fprintf(&b, `<g clip-path="url(#c-%s)"><polygon class="area %s" points="%s"/><polyline class="line %s" points="%s"/></g>`,
			html.EscapeString(identifier(m.Key)), colour, strings.Join(append(upper, lower...), " "), colour, strings.Join(middle, " "))
		text(&b, "label "+colour, x.end+chartMargin, math.Min(math.Max(last+4, 12), y.start)+float64(n)*2, "start", variant)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // numbers and escaped text only
}

func openSVG(b *strings.Builder, tall float64, title string) {
	fmt.Fprintf(b, `<svg viewBox="0 0 %.0f %.1f" role="img"><title>%s</title>`, chartWidth, tall, html.EscapeString(title))
}

func (a axis) grid(b *strings.Builder, top, bottom float64, relative bool) {
	for _, t := range a.ticks() {
		class := "grid"
		if math.Abs(t) < (a.to-a.from)*1e-9 {
			class, t = "zero", 0
		}
		fmt.Fprintf(b, `<line class="%s" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, class, a.at(t), a.at(t), top, bottom)
		text(b, "tick", a.at(t), bottom+16, "middle", amount(t, relative))
	}
}

func text(b *strings.Builder, class string, x, y float64, anchor, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, class, x, y, anchor, html.EscapeString(s))
}

// amount is a value on an axis.
func amount(v float64, relative bool) string {
	switch {
	case v == 0:
		return "0"
	case relative:
		return fmt.Sprintf("%+.3g %%", 100*v)
	}
	return fmt.Sprintf("%+.3g", v)
}

// identifier makes a key one of an element.
func identifier(key string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, key)
}
