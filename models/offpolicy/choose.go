package offpolicy

import "errors"

// Slope chooses among estimates of the same value by the method of Su, Srinath and Krishnamurthy, "Adaptive Estimator
// Selection for Off-Policy Evaluation", ICML 2020: estimates are given from the one with the least bias (and the
// largest error) to the one with the most, and the last is taken whose interval still meets those of all before it.
// It returns its index.
func Slope(estimates []Estimate, alpha float64) (int, error) {
	if len(estimates) == 0 {
		return 0, errors.New("there is no estimate to choose")
	}
	common, err := estimates[0].Normal(alpha)
	if err != nil {
		return 0, err
	}
	chosen := 0
	for i := 1; i < len(estimates); i++ {
		next, err := estimates[i].Normal(alpha)
		if err != nil {
			return 0, err
		}
		common.Lower, common.Upper = max(common.Lower, next.Lower), min(common.Upper, next.Upper)
		if common.Lower > common.Upper {
			break
		}
		chosen = i
	}
	return chosen, nil
}

// ShrunkBySlope is [DRos] with the λ of the candidates that [Slope] chooses; they have to fall.
func ShrunkBySlope(l Log, lambdas []float64, alpha float64) (Estimate, error) {
	estimates := make([]Estimate, len(lambdas))
	for i, lambda := range lambdas {
		if lambda < 0 || i > 0 && lambda >= lambdas[i-1] {
			return Estimate{}, errors.New("lambdas must be 0 or more, and fall")
		}
		estimates[i] = DRos(lambda)(l)
	}
	i, err := Slope(estimates, alpha)
	if err != nil {
		return Estimate{}, err
	}
	return estimates[i], nil
}
