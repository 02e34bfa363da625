package learners

import (
	"cmp"
	"math"
	"slices"
)

// Measures judge predicted probabilities against labels 0 and 1.
type Measures struct {
	Rows             int     `json:"rows"`
	Rate             float64 `json:"rate" doc:"The share of rows with label 1"`
	AUC              float64 `json:"auc" doc:"Area under the ROC curve: how often a row with label 1 is above one with 0"`
	AveragePrecision float64 `json:"averagePrecision" doc:"Mean precision over recall"`
	LogLoss          float64 `json:"logLoss"`
	Brier            float64 `json:"brier" doc:"Mean squared error of the probability"`
	Lift             float64 `json:"lift" doc:"How many times more rows with label 1 the top tenth holds than the average"`
}

// Measure computes all measures. Predictions are probabilities; those that tie share
// their rank. It is [ErrOneClass] when there is nothing to tell apart.
func Measure(y, predicted []float64) (Measures, error) {
	m := Measures{Rows: len(y)}
	for _, v := range y {
		m.Rate += v
	}
	positives := m.Rate
	if positives == 0 || positives == float64(len(y)) {
		return m, ErrOneClass
	}
	m.Rate /= float64(len(y))
	for i, v := range y {
		p := min(max(predicted[i], 1e-15), 1-1e-15)
		m.LogLoss -= v*math.Log(p) + (1-v)*math.Log1p(-p)
		m.Brier += (predicted[i] - v) * (predicted[i] - v)
	}
	m.LogLoss /= float64(len(y))
	m.Brier /= float64(len(y))
	order := descending(predicted)
	negatives := float64(len(y)) - positives
	var above, area, precision float64
	for i := 0; i < len(order); {
		end, ones := i, 0.0
		for end < len(order) && predicted[order[end]] == predicted[order[i]] {
			ones += y[order[end]]
			end++
		}
		zeros := float64(end-i) - ones
		area += zeros * (above + ones/2)
		above += ones
		precision += ones * above / float64(end)
		i = end
	}
	m.AUC = area / (positives * negatives)
	m.AveragePrecision = precision / positives
	m.Lift = Deciles(y, predicted)[0].Lift
	return m, nil
}

func descending(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[b], values[a]) })
	return order
}

// Decile is a tenth of the rows by their prediction, the highest first.
type Decile struct {
	Decile    int     `json:"decile"`
	Rows      int     `json:"rows"`
	Predicted float64 `json:"predicted" doc:"Mean prediction"`
	Actual    float64 `json:"actual" doc:"Mean label"`
	Lift      float64 `json:"lift" doc:"Mean label over that of all rows"`
	Captured  float64 `json:"captured" doc:"Share of all labels that this tenth and those above hold"`
}

// Deciles cuts the rows into tenths by their prediction; the first is of floor(n/10)
// rows, as in the usual definition of top-decile lift.
func Deciles(y, predicted []float64) []Decile {
	order := descending(predicted)
	var total float64
	for _, v := range y {
		total += v
	}
	n := len(y)
	var out []Decile
	captured := 0.0
	for d := range 10 {
		from, to := d*n/10, (d+1)*n/10
		if to == from {
			continue
		}
		row := Decile{Decile: d + 1, Rows: to - from}
		for _, i := range order[from:to] {
			row.Predicted += predicted[i]
			row.Actual += y[i]
		}
		captured += row.Actual
		if total != 0 {
			row.Lift = row.Actual / float64(row.Rows) / (total / float64(n))
			row.Captured = captured / total
		}
		row.Predicted /= float64(row.Rows)
		row.Actual /= float64(row.Rows)
		out = append(out, row)
	}
	return out
}

// Errors judge predictions of an amount.
type Errors struct {
	Rows      int     `json:"rows"`
	MAE       float64 `json:"mae" doc:"Mean absolute error"`
	RMSE      float64 `json:"rmse" doc:"Root of the mean squared error"`
	Predicted float64 `json:"predicted" doc:"Sum of what was predicted"`
	Actual    float64 `json:"actual" doc:"Sum of what came"`
	R         float64 `json:"correlation"`
}

// MeasureErrors compares amounts with what was predicted.
func MeasureErrors(y, predicted []float64) Errors {
	e := Errors{Rows: len(y)}
	if len(y) == 0 {
		return e
	}
	n := float64(len(y))
	for i, v := range y {
		d := predicted[i] - v
		e.MAE += math.Abs(d) / n
		e.RMSE += d * d / n
		e.Predicted += predicted[i]
		e.Actual += v
	}
	e.RMSE = math.Sqrt(e.RMSE)
	var xy, xx, yy float64
	for i, v := range y {
		a, b := v-e.Actual/n, predicted[i]-e.Predicted/n
		xy += a * b
		xx += a * a
		yy += b * b
	}
	if xx > 0 && yy > 0 {
		e.R = xy / math.Sqrt(xx*yy)
	}
	return e
}
