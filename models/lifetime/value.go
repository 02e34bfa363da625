package lifetime

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Fitted holds what is needed to say what customers will be worth.
type Fitted struct {
	// Kind is "bg-nbd" or "pareto-nbd".
	Kind     string    `json:"kind"`
	Purchase *Estimate `json:"purchase"`
	// Spend is nil where no purchase had a value.
	Spend *Estimate `json:"spend,omitempty"`
	// Segments holds parameters by segment, under "" those of the rest; nil where all
	// customers have the same.
	Segments map[string]*SegmentParameters `json:"segments,omitempty"`
}

// Kinds of purchase models.
const (
	KindBGNBD     = "bg-nbd"
	KindParetoNBD = "pareto-nbd"
)

// Fit fits a purchase model, and the spend model where there are values.
func Fit(ctx context.Context, kind string, customers []Customer) (*Fitted, error) {
	f, err := FitPurchase(ctx, kind, customers)
	if err != nil {
		return nil, err
	}
	f.Spend, err = FitSpend(ctx, customers)
	return f, err
}

// FitPurchase fits a purchase model alone.
func FitPurchase(ctx context.Context, kind string, customers []Customer) (*Fitted, error) {
	groups, err := Groups(customers)
	if err != nil {
		return nil, err
	}
	f := &Fitted{Kind: kind}
	switch kind {
	case KindBGNBD:
		f.Purchase, err = FitBGNBD(ctx, groups)
	case KindParetoNBD:
		f.Purchase, err = FitParetoNBD(ctx, groups)
	default:
		return nil, fmt.Errorf("there is no purchase model %q", kind)
	}
	if err != nil {
		return nil, fmt.Errorf("fitting %s: %w", kind, err)
	}
	return f, nil
}

// FitSpend fits the value of purchases; nil where too few of them had one.
func FitSpend(ctx context.Context, customers []Customer) (*Estimate, error) {
	valued := 0
	for _, c := range customers {
		if c.Repeats > 0 && c.Value > 0 {
			valued++
		}
	}
	if valued < MinRepeaters {
		return nil, nil
	}
	e, err := FitGammaGamma(ctx, customers)
	if err != nil {
		return nil, fmt.Errorf("fitting the value of purchases: %w", err)
	}
	return e, nil
}

// Check refuses what could not have come from [Fit].
func (f *Fitted) Check() error {
	if f.Purchase == nil || (f.Kind != KindBGNBD && f.Kind != KindParetoNBD) {
		return fmt.Errorf("a purchase model of kind %q", f.Kind)
	}
	if err := f.Purchase.Check(4); err != nil {
		return err
	}
	if f.Spend != nil {
		if err := f.Spend.Check(3); err != nil {
			return err
		}
	}
	for name, s := range f.Segments {
		if s == nil || s.Purchase == nil {
			return fmt.Errorf("a segment %q without parameters", name)
		}
		if err := s.Purchase.Check(4); err != nil {
			return fmt.Errorf("segment %q: %w", name, err)
		}
		if s.Spend != nil {
			if err := s.Spend.Check(3); err != nil {
				return fmt.Errorf("segment %q: %w", name, err)
			}
		}
	}
	return nil
}

type purchaseModel interface {
	Alive(c Customer) float64
	Expected(c Customer, t float64) float64
	New(t float64) float64
	LogLikelihood(c Customer) float64
}

func (f *Fitted) model(p []float64) purchaseModel {
	if f.Kind == KindParetoNBD {
		return NewParetoNBD(p)
	}
	return NewBGNBD(p)
}

// Forecast is what is expected of one customer.
type Forecast struct {
	Alive     float64 `json:"alive" doc:"The probability that the customer has not left"`
	Purchases float64 `json:"purchases" doc:"Expected purchases within the horizon"`
	Low       float64 `json:"low" doc:"95 % interval of the expected purchases by the uncertainty of the parameters"`
	High      float64 `json:"high"`
	Value     float64 `json:"value" doc:"Expected value of those purchases"`
	ValueLow  float64 `json:"valueLow"`
	ValueHigh float64 `json:"valueHigh"`
}

// Forecaster draws the parameters once for many customers.
type Forecaster struct {
	purchase    purchaseModel
	spend       *GammaGamma
	drawn       []purchaseModel
	drawnSpends []GammaGamma
	horizon     float64
}

// draws is the number of parameter vectors behind an interval.
const draws = 40

// Forecaster makes forecasts over a horizon, in the unit of time of the fit.
func (f *Fitted) Forecaster(horizon float64) *Forecaster {
	out := &Forecaster{purchase: f.model(f.Purchase.Parameters), horizon: horizon}
	for _, p := range f.Purchase.Draws(draws, 1) {
		out.drawn = append(out.drawn, f.model(p))
	}
	if f.Spend != nil {
		m := NewGammaGamma(f.Spend.Parameters)
		out.spend = &m
		for _, p := range f.Spend.Draws(draws, 2) {
			out.drawnSpends = append(out.drawnSpends, NewGammaGamma(p))
		}
	}
	return out
}

// Forecast says what is expected of a customer; without intervals where parameters have
// none.
func (f *Forecaster) Forecast(c Customer) Forecast {
	p := f.purchases(c)
	return f.valued(&p, c.Value)
}

// purchases is what is expected of everybody with the same purchases before.
type purchases struct {
	customer Customer
	alive    float64
	expected float64
	drawn    []float64 // by parameter vector; NaN where one gives nothing
}

func (f *Forecaster) purchases(c Customer) purchases {
	c.Value = 0
	out := purchases{customer: c, alive: f.purchase.Alive(c), expected: f.purchase.Expected(c, f.horizon), drawn: make([]float64, len(f.drawn))}
	for i, m := range f.drawn {
		out.drawn[i] = m.Expected(c, f.horizon)
	}
	return out
}

// valued adds what purchases of a customer with this mean value are worth.
func (f *Forecaster) valued(p *purchases, value float64) Forecast {
	c := p.customer
	c.Value = value
	out := Forecast{Alive: p.alive, Purchases: p.expected}
	if f.spend != nil {
		if v := f.spend.Expected(c); v > 0 && !math.IsInf(v, 0) {
			out.Value = out.Purchases * v
		}
	}
	var counts, values [draws]float64
	n, m := 0, 0
	for i, d := range p.drawn {
		if math.IsNaN(d) || math.IsInf(d, 0) {
			continue
		}
		counts[n] = d
		n++
		if f.spend == nil {
			continue
		}
		if v := d * f.drawnSpends[i%len(f.drawnSpends)].Expected(c); v >= 0 && !math.IsInf(v, 0) {
			values[m] = v
			m++
		}
	}
	out.Low, out.High = ends(counts[:n], out.Purchases)
	out.ValueLow, out.ValueHigh = ends(values[:m], out.Value)
	return out
}

func ends(values []float64, point float64) (low, high float64) {
	if len(values) < 20 {
		return point, point
	}
	slices.Sort(values)
	return values[len(values)/40], values[len(values)-1-len(values)/40]
}

// ForecastAll forecasts many customers on all cores; it ends early with the error of ctx.
// Purchases are forecast once for all who bought alike.
func (f *Forecaster) ForecastAll(ctx context.Context, customers []Customer) ([]Forecast, error) {
	out := make([]Forecast, len(customers))
	order := make([]int, len(customers))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return customers[a].compare(customers[b]) })
	const chunk = 4096
	var next atomic.Int64
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for ctx.Err() == nil {
				to := int(next.Add(chunk))
				from := to - chunk
				if from >= len(order) {
					return
				}
				var p purchases
				for k, i := range order[from:min(to, len(order))] {
					if k == 0 || customers[i].compare(p.customer) != 0 {
						p = f.purchases(customers[i])
					}
					out[i] = f.valued(&p, customers[i].Value)
				}
			}
		}()
	}
	wait.Wait()
	return out, ctx.Err()
}

// New is the expected number of repeat purchases of somebody new within t.
func (f *Fitted) New(t float64) float64 { return f.model(f.Purchase.Parameters).New(t) }

// Backtest compares a model fitted before a moment with what came after it.
type Backtest struct {
	Horizon   float64         `json:"horizon" doc:"Days that were predicted"`
	Customers int             `json:"customers"`
	Predicted float64         `json:"predicted" doc:"Purchases that were expected of all"`
	Low       float64         `json:"low" doc:"95 % interval of the sum, by parameters and chance"`
	High      float64         `json:"high"`
	Actual    float64         `json:"actual" doc:"Purchases that came"`
	MAE       float64         `json:"mae" doc:"Mean absolute error per customer"`
	Baseline  float64         `json:"baselineMae" doc:"Of everybody going on at their own past rate"`
	ByRepeats []BacktestGroup `json:"byRepeats" nullable:"false"`
}

// BacktestGroup holds the customers with so many repeats before; 7 means 7 and more.
type BacktestGroup struct {
	Repeats   int     `json:"repeats"`
	Customers int     `json:"customers"`
	Predicted float64 `json:"predicted" doc:"Expected purchases per customer"`
	Actual    float64 `json:"actual"`
}

// testedForInterval bounds the customers that are predicted by each drawn parameter.
const testedForInterval = 10_000

// Test predicts what customers would do within horizon and compares it with what they
// did.
func (f *Fitted) Test(customers []Customer, later []int, horizon float64) Backtest {
	b := Backtest{Horizon: horizon, Customers: len(customers), ByRepeats: make([]BacktestGroup, 8)}
	forecast := f.Forecaster(horizon)
	var squares float64
	for i, c := range customers {
		v, n := forecast.purchase.Expected(c, horizon), float64(later[i])
		b.Predicted += v
		b.Actual += n
		b.MAE += math.Abs(v-n) / float64(len(customers))
		b.Baseline += math.Abs(float64(c.Repeats)*horizon/math.Max(c.Age, 1e-9)-n) / float64(len(customers))
		squares += (v - n) * (v - n)
		g := &b.ByRepeats[min(c.Repeats, 7)]
		g.Repeats = min(c.Repeats, 7)
		g.Customers++
		g.Predicted += v
		g.Actual += n
	}
	for i := range b.ByRepeats {
		if g := &b.ByRepeats[i]; g.Customers > 0 {
			g.Predicted /= float64(g.Customers)
			g.Actual /= float64(g.Customers)
		}
		b.ByRepeats[i].Repeats = i
	}
	var sums []float64
	step := max(1, len(customers)/testedForInterval)
	for _, m := range forecast.drawn {
		total, seen := 0.0, 0
		for i := 0; i < len(customers); i += step {
			total += m.Expected(customers[i], horizon)
			seen++
		}
		total *= float64(len(customers)) / float64(seen)
		if !math.IsNaN(total) && !math.IsInf(total, 0) {
			sums = append(sums, total)
		}
	}
	low, high := ends(sums, b.Predicted)
	chance := 1.96 * math.Sqrt(squares)
	b.Low = b.Predicted - math.Hypot(b.Predicted-low, chance)
	b.High = b.Predicted + math.Hypot(high-b.Predicted, chance)
	return b
}
