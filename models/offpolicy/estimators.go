package offpolicy

import (
	"fmt"
	"math"
)

// Estimate is the value of the target policy: its mean reward per decision.
type Estimate struct {
	// Estimator is its name: ips, snips, dm, dr, sndr, switch-dr or dr-os.
	Estimator string
	// Parameter is the bound of switch-dr or the λ of dr-os; NaN for the others.
	Parameter float64
	Value     float64
	// StandardError of the value, with persons as the units where the log tells them apart.
	StandardError float64
	// Persons is the number of independent units behind the error.
	Persons int

	// influence is what each decision adds to the value: their mean is the value, and their spread its error.
	influence []float64
}

// Estimator computes the value of the target policy from a log that [Log.Check] accepts.
type Estimator func(Log) Estimate

// IPS is inverse propensity scoring: the mean of w·r. Horvitz and Thompson, 1952.
func IPS(l Log) Estimate {
	return estimate(l, "ips", math.NaN(), func(d *Decision) float64 { return d.weight() * d.Reward })
}

// SNIPS is self-normalised IPS: Σ w·r / Σ w. Its error is of the first order (delta method). Without any weight
// the value is NaN.
func SNIPS(l Log) Estimate {
	return normalised(l, "snips", func(d *Decision) (base, residual float64) { return 0, d.Reward })
}

// DM is the direct method: the mean of what the model expects of the target policy. Its error says how the
// decisions vary and nothing of the model's own.
func DM(l Log) Estimate {
	return estimate(l, "dm", math.NaN(), func(d *Decision) float64 { return d.Value })
}

// DR is doubly robust: the mean of Value + w·(r − Expected).
func DR(l Log) Estimate {
	return estimate(l, "dr", math.NaN(), func(d *Decision) float64 { return d.Value + d.weight()*(d.Reward-d.Expected) })
}

// SNDR is DR with the residuals self-normalised: mean Value + Σ w·(r − Expected) / Σ w.
func SNDR(l Log) Estimate {
	return normalised(l, "sndr", func(d *Decision) (base, residual float64) { return d.Value, d.Reward - d.Expected })
}

// SwitchDR returns the estimator that leaves out the residuals of decisions whose weight is above bound. A bound of
// 0 makes it the direct method, an infinite one doubly robust.
func SwitchDR(bound float64) Estimator {
	return func(l Log) Estimate {
		return estimate(l, "switch-dr", bound, func(d *Decision) float64 {
			w := d.weight()
			if w > bound {
				return d.Value
			}
			return d.Value + w*(d.Reward-d.Expected)
		})
	}
}

// DRos returns the doubly robust estimator with optimistic shrinkage: the weights are λ·w/(w² + λ). λ of 0 makes it
// the direct method, an infinite one doubly robust.
func DRos(lambda float64) Estimator {
	return func(l Log) Estimate {
		return estimate(l, "dr-os", lambda, func(d *Decision) float64 {
			return d.Value + shrunk(d.weight(), lambda)*(d.Reward-d.Expected)
		})
	}
}

func shrunk(w, lambda float64) float64 {
	if math.IsInf(lambda, 1) {
		return w
	}
	if lambda == 0 {
		return 0
	}
	return lambda * w / (w*w + lambda)
}

// estimate is the mean of what each decision adds.
func estimate(l Log, name string, parameter float64, adds func(*Decision) float64) Estimate {
	e := Estimate{Estimator: name, Parameter: parameter, influence: make([]float64, len(l))}
	for i := range l {
		e.influence[i] = adds(&l[i])
	}
	e.finish(l)
	return e
}

// normalised is mean(base) + Σ w·residual / Σ w, linearised.
func normalised(l Log, name string, parts func(*Decision) (base, residual float64)) Estimate {
	e := Estimate{Estimator: name, Parameter: math.NaN(), influence: make([]float64, len(l))}
	var weights, weighted, bases float64
	for i := range l {
		base, residual := parts(&l[i])
		w := l[i].weight()
		weights, weighted, bases = weights+w, weighted+w*residual, bases+base
	}
	n := float64(len(l))
	ratio, mean := weighted/weights, weights/n
	for i := range l {
		base, residual := parts(&l[i])
		e.influence[i] = base + ratio + l[i].weight()/mean*(residual-ratio)
	}
	e.finish(l)
	e.Value = bases/n + ratio
	return e
}

// finish computes the value and its error. A person's decisions count as one sum: the value is a ratio of the sums
// of persons to their numbers of decisions, and the error that of the ratio (delta method), which for one decision
// each is the usual one.
func (e *Estimate) finish(l Log) {
	n := float64(len(l))
	for _, v := range e.influence {
		e.Value += v / n
	}
	squares, persons := e.deviations(l)
	e.Persons = persons
	if persons < 2 {
		e.StandardError = math.NaN()
		return
	}
	k := float64(persons)
	e.StandardError = math.Sqrt(squares*k/(k-1)) / n
}

// deviations is the sum of squares of what persons are away from the value, and the number of persons.
func (e *Estimate) deviations(l Log) (squares float64, persons int) {
	sums := make(map[uint64]float64)
	for i := range l {
		if deviation := e.influence[i] - e.Value; l[i].Person != 0 {
			sums[l[i].Person] += deviation
		} else {
			squares += deviation * deviation
			persons++
		}
	}
	persons += len(sums)
	for i := range l { // in the order of the log: the sum is the same whenever it is made
		if deviation, first := sums[l[i].Person]; first {
			squares += deviation * deviation
			delete(sums, l[i].Person)
		}
	}
	return squares, persons
}

// Difference is the gain of one policy over another on the same log, decision by decision, which is far less noisy
// than the difference of two values. Both estimates must come of logs with the same decisions in the same order.
func Difference(l Log, of, over Estimate) (Estimate, error) {
	if len(of.influence) != len(l) || len(over.influence) != len(l) {
		return Estimate{}, fmt.Errorf("estimates of %d and %d decisions cannot be compared over %d", len(of.influence), len(over.influence), len(l))
	}
	e := Estimate{Estimator: of.Estimator, Parameter: of.Parameter, influence: make([]float64, len(l))}
	for i := range l {
		e.influence[i] = of.influence[i] - over.influence[i]
	}
	e.finish(l)
	e.Value = of.Value - over.Value
	return e, nil
}
