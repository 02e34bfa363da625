package lifetime

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Parameters may differ among segments of customers. Each segment that is large enough
// gets parameters of its own, and all of these are kept only when a likelihood-ratio test
// says that segments differ.

// MinSegment is the least number of customers with parameters of their own.
const MinSegment = 100

// segmentLevel is the error of the first kind of the likelihood-ratio test.
const segmentLevel = .01

// SegmentTest is the likelihood-ratio test of parameters by segment against common ones.
type SegmentTest struct {
	Segments  []string `json:"segments" nullable:"false" doc:"Segments with enough customers; the rest is one more"`
	Statistic float64  `json:"statistic" doc:"Twice the gain of log-likelihood"`
	Freedom   float64  `json:"degreesOfFreedom"`
	P         float64  `json:"p" doc:"How likely common parameters give so large a gain"`
	Kept      bool     `json:"kept" doc:"Whether parameters by segment are used"`
}

// SegmentParameters are those of the customers of one segment.
type SegmentParameters struct {
	Purchase *Estimate `json:"purchase"`
	Spend    *Estimate `json:"spend,omitempty"`
}

// FitSegments fits parameters by segment to a model that was fitted to all customers and
// keeps them when they are better beyond chance. segments[i] is that of customers[i],
// empty for the rest.
func (f *Fitted) FitSegments(ctx context.Context, customers []Customer, segments []string) (*SegmentTest, error) {
	parts := map[string][]Customer{}
	for i, c := range customers {
		parts[segments[i]] = append(parts[segments[i]], c)
	}
	for name, list := range parts { // who is too few belongs to the rest
		if name != "" && !enough(list) {
			parts[""] = append(parts[""], list...)
			delete(parts, name)
		}
	}
	test := &SegmentTest{Segments: []string{}, P: 1}
	if !enough(parts[""]) && len(parts[""]) > 0 && len(parts) > 1 {
		// A rest that is too small goes with the largest segment, under the common test.
		names := slices.SortedFunc(maps.Keys(parts), func(a, b string) int { return cmp.Compare(len(parts[b]), len(parts[a])) })
		parts[names[0]] = append(parts[names[0]], parts[""]...)
		delete(parts, "")
	}
	if len(parts) < 2 {
		return test, nil
	}
	own := map[string]*SegmentParameters{}
	purchase, spend, spends := 0.0, 0.0, 0.0
	for name, list := range parts {
		g, err := FitPurchase(ctx, f.Kind, list)
		if err != nil {
			return nil, fmt.Errorf("fitting segment %q: %w", name, err)
		}
		own[name] = &SegmentParameters{Purchase: g.Purchase}
		purchase += g.Purchase.LogLikelihood
		if name != "" {
			test.Segments = append(test.Segments, name)
		}
		if f.Spend == nil {
			continue
		}
		if own[name].Spend, err = FitSpend(ctx, list); err != nil {
			return nil, fmt.Errorf("fitting the spend of segment %q: %w", name, err)
		}
		if own[name].Spend != nil {
			spend += own[name].Spend.LogLikelihood
			spends++
		}
	}
	slices.Sort(test.Segments)
	test.Statistic, test.Freedom = 2*(purchase-f.Purchase.LogLikelihood), 4*float64(len(parts)-1)
	if f.Spend != nil && int(spends) == len(parts) {
		test.Statistic += 2 * (spend - f.Spend.LogLikelihood)
		test.Freedom += 3 * (spends - 1)
	}
	test.P = distuv.ChiSquared{K: test.Freedom}.Survival(math.Max(0, test.Statistic))
	if test.P < segmentLevel {
		f.Segments, test.Kept = own, true
	}
	return test, nil
}

func enough(customers []Customer) bool {
	repeaters := 0
	for _, c := range customers {
		if c.Repeats > 0 {
			repeaters++
		}
	}
	return len(customers) >= MinSegment && repeaters >= 3*MinRepeaters
}

// In is the model of the customers of one segment: that of all where it has no parameters
// of its own.
func (f *Fitted) In(segment string) *Fitted {
	own := f.Segments[segment]
	if own == nil {
		if own = f.Segments[""]; own == nil {
			return f
		}
	}
	out := &Fitted{Kind: f.Kind, Purchase: own.Purchase, Spend: own.Spend}
	if out.Spend == nil {
		out.Spend = f.Spend
	}
	return out
}

// bySegment calls each with the customers of every segment and their places.
func bySegment(segments []string, n int, each func(segment string, places []int) error) error {
	places := map[string][]int{}
	for i := range n {
		s := ""
		if segments != nil {
			s = segments[i]
		}
		places[s] = append(places[s], i)
	}
	for _, s := range slices.Sorted(maps.Keys(places)) {
		if err := each(s, places[s]); err != nil {
			return err
		}
	}
	return nil
}

// ForecastAll forecasts customers by the parameters of their segments, which may be nil.
func (f *Fitted) ForecastAll(ctx context.Context, customers []Customer, segments []string, horizon float64) ([]Forecast, error) {
	out := make([]Forecast, len(customers))
	err := bySegment(segments, len(customers), func(segment string, places []int) error {
		list := make([]Customer, len(places))
		for k, i := range places {
			list[k] = customers[i]
		}
		forecasts, err := f.In(segment).Forecaster(horizon).ForecastAll(ctx, list)
		for k, i := range places {
			out[i] = forecasts[k]
		}
		return err
	})
	return out, err
}

// TestSegments is [Fitted.Test] by the parameters of segments.
func (f *Fitted) TestSegments(customers []Customer, later []int, segments []string, horizon float64) Backtest {
	var out Backtest
	// The function that is called has no error to give.
	_ = bySegment(segments, len(customers), func(segment string, places []int) error {
		list, after := make([]Customer, len(places)), make([]int, len(places))
		for k, i := range places {
			list[k], after[k] = customers[i], later[i]
		}
		out = out.with(f.In(segment).Test(list, after, horizon))
		return nil
	})
	return out
}

// with is the back-test of two groups of customers together.
func (b Backtest) with(other Backtest) Backtest {
	if b.Customers == 0 {
		return other
	}
	n, m := float64(b.Customers), float64(other.Customers)
	mean := func(x, y float64) float64 { return (x*n + y*m) / (n + m) }
	out := Backtest{
		Horizon: b.Horizon, Customers: b.Customers + other.Customers, Predicted: b.Predicted + other.Predicted, Actual: b.Actual + other.Actual,
		MAE: mean(b.MAE, other.MAE), Baseline: mean(b.Baseline, other.Baseline), ByRepeats: slices.Clone(b.ByRepeats),
	}
	out.Low = out.Predicted - math.Hypot(b.Predicted-b.Low, other.Predicted-other.Low)
	out.High = out.Predicted + math.Hypot(b.High-b.Predicted, other.High-other.Predicted)
	for i := range out.ByRepeats {
		g, h := &out.ByRepeats[i], other.ByRepeats[i]
		if total := float64(g.Customers + h.Customers); total > 0 {
			g.Predicted = (g.Predicted*float64(g.Customers) + h.Predicted*float64(h.Customers)) / total
			g.Actual = (g.Actual*float64(g.Customers) + h.Actual*float64(h.Customers)) / total
		}
		g.Customers += h.Customers
	}
	return out
}
