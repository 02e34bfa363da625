package stats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// gbFloat reads a number, null (NaN) or one of the strings for infinity.
type gbFloat float64

func (b *gbFloat) UnmarshalJSON(raw []byte) error {
	switch s := strings.ToLower(strings.Trim(string(raw), `"`)); s {
	case "inf", "infinity":
		*b = gbFloat(math.Inf(1))
	case "-inf", "-infinity":
		*b = gbFloat(math.Inf(-1))
	case "null", "nan":
		*b = gbFloat(math.NaN())
	default:
		v, err := strconv.ParseFloat(s, 64)
		*b = gbFloat(v)
		return err
	}
	return nil
}

// gbStatistic is any of gbstats' statistics.
type gbStatistic struct {
	Type       string
	N          int64
	Sum        float64
	SumSquares float64      `json:"sum_squares"`
	M          *gbStatistic `json:"m_statistic"`
	D          *gbStatistic `json:"d_statistic"`
	Products   float64      `json:"m_d_sum_of_products"`

	Post     *gbStatistic `json:"post_statistic"`
	Pre      *gbStatistic `json:"pre_statistic"`
	PostPre  float64      `json:"post_pre_sum_of_products"`
	Theta    *float64
	MPost    *gbStatistic `json:"m_statistic_post"`
	DPost    *gbStatistic `json:"d_statistic_post"`
	MPre     *gbStatistic `json:"m_statistic_pre"`
	DPre     *gbStatistic `json:"d_statistic_pre"`
	MPostMPr float64      `json:"m_post_m_pre_sum_of_products"`
	DPostDPr float64      `json:"d_post_d_pre_sum_of_products"`
	MPreDPre float64      `json:"m_pre_d_pre_sum_of_products"`
	MPostDPo float64      `json:"m_post_d_post_sum_of_products"`
	MPostDPr float64      `json:"m_post_d_pre_sum_of_products"`
	MPreDPos float64      `json:"m_pre_d_post_sum_of_products"`

	NStar         int64 `json:"n_star"`
	Nu            float64
	QuantileHat   float64 `json:"quantile_hat"`
	QuantileLower float64 `json:"quantile_lower"`
	QuantileUpper float64 `json:"quantile_upper"`

	MainSum          *float64 `json:"main_sum"`
	MainSumSquares   float64  `json:"main_sum_squares"`
	Denominators     float64  `json:"denominator_sum"`
	DenominatorSqs   float64  `json:"denominator_sum_squares"`
	MainDenominators float64  `json:"main_denominator_sum_product"`
	NClusters        int64    `json:"n_clusters"`
}

func (s *gbStatistic) binary() bool { return s != nil && s.Type == "ProportionStatistic" }

func (s *gbStatistic) squares() float64 {
	if s.binary() {
		return s.Sum
	}
	return s.SumSquares
}

// sample turns a statistic into this package's sums.
func (s *gbStatistic) sample() (Sample, error) {
	if s == nil {
		return nil, fmt.Errorf("no statistic")
	}
	switch s.Type {
	case "SampleMeanStatistic", "CountStatistic", "BanditStatisticSampleMean":
		return Mean{N: s.N, Sum: s.Sum, SumSquares: s.SumSquares}, nil
	case "ProportionStatistic":
		return bernoulli{s.N, s.Sum}, nil
	case "RatioStatistic", "BanditStatisticRatio":
		return Ratio{N: s.N, Numerator: s.M.Sum, Denominator: s.D.Sum, NumeratorSquares: s.M.squares(), DenominatorSquares: s.D.squares(),
			Products: s.Products, BinaryNumerator: s.M.binary(), BinaryDenominator: s.D.binary()}, nil
	case "RegressionAdjustedStatistic", "BanditStatisticCuped", "BanditStatisticRegressionAdjusted":
		return Adjusted{N: s.N, Sum: s.Post.Sum, SumSquares: s.Post.squares(), CovariateSum: s.Pre.Sum, CovariateSquares: s.Pre.squares(),
			Products: s.PostPre, Binary: s.Post.binary() && s.Pre.binary()}, nil
	case "RegressionAdjustedRatioStatistic":
		return AdjustedRatio{
			N: s.N, Numerator: s.MPost.Sum, Denominator: s.DPost.Sum, NumeratorSquares: s.MPost.squares(), DenominatorSquares: s.DPost.squares(),
			Products: s.MPostDPo, PreNumerator: s.MPre.Sum, PreDenominator: s.DPre.Sum, PreNumeratorSquares: s.MPre.squares(),
			PreDenominatorSquares: s.DPre.squares(), PreProducts: s.MPreDPre,
			NumeratorPreNumerator: s.MPostMPr, NumeratorPreDenominator: s.MPostDPr,
			DenominatorPreNumerator: s.MPreDPos, DenominatorPreDenominator: s.DPostDPr,
			BinaryNumerator: s.MPost.binary(), BinaryDenominator: s.DPost.binary(),
		}, nil
	case "QuantileStatistic", "QuantileClusteredStatistic", "QuantileStatisticClustered":
		q := Quantile{N: s.N, Level: s.Nu, Value: s.QuantileHat, Lower: s.QuantileLower, Upper: s.QuantileUpper, Grid: s.NStar}
		// gbstats refuses a spike below 1,000 values and elsewhere has a floor.
		if s.N >= 1000 || s.N >= 100 && s.QuantileUpper != s.QuantileLower {
			q.VarianceFloor = 1e-5
		}
		if s.MainSum != nil {
			q.Clusters = &Clusters{N: s.NClusters, Below: *s.MainSum, BelowSquares: s.MainSumSquares, Events: s.Denominators,
				EventSquares: s.DenominatorSqs, Products: s.MainDenominators}
		}
		return q, nil
	}
	return nil, fmt.Errorf("unknown type of statistic %q", s.Type)
}

// estimate is that of the statistic without any adjustment.
func (s gbStatistic) estimate() (e Estimate, covered bool, err error) {
	sample, err := s.sample()
	if err != nil {
		return Estimate{}, false, err
	}
	e, err = estimateOf(sample, Options{Unchecked: true})
	return e, true, err
}

type gbConfig struct {
	DifferenceType string `json:"difference_type"`
	Alpha          float64
	TestValue      float64 `json:"test_value"`
	Tuning         float64 `json:"sequential_tuning_parameter"`
	Tuning2        float64 `json:"sequential_tuning"`
	Rho            *float64
	Inverse        bool
	Prior          *gbPrior
	PriorEffect    *gbPrior `json:"prior_effect"`
	PriorType      string   `json:"prior_type"`
	PostStratify   *bool    `json:"post_stratify"`
	Traffic        *float64 `json:"traffic_percentage"`
	TrafficB       *float64 `json:"traffic_proportion_b"`
	Days           *float64 `json:"phase_length_days"`
	TotalUsers     *float64 `json:"total_users"`
	// Bandits.
	PriorDistribution *gbPrior `json:"prior_distribution"`
	TopTwo            *bool    `json:"top_two"`
	Floor             *float64 `json:"min_variation_weight"`
	Seed              int64    `json:"bandit_weights_seed"`
}

type gbPrior struct {
	Proper   bool
	Mean     float64
	Variance *float64
	StdDev   *float64 `json:"stddev"`
}

func (p *gbPrior) prior() Prior {
	if p == nil || !p.Proper {
		return Prior{}
	}
	out := Prior{Proper: true, Mean: p.Mean, Variance: 1}
	if p.Variance != nil {
		out.Variance = *p.Variance
	} else if p.StdDev != nil {
		out.Variance = *p.StdDev * *p.StdDev
	}
	return out
}

func (c gbConfig) scale() Scale {
	if c.DifferenceType == "" || c.DifferenceType == "relative" {
		return RelativeScale
	}
	return AbsoluteScale
}

// pairs reads the strata of a case, whatever they are called: one pair of
// statistics, a list of pairs, or two lists.
func (c publishedCase) pairs() ([][2]*gbStatistic, error) {
	if raw, ok := c.Input["same"]; ok {
		return nil, fmt.Errorf("unsupported reference %s", raw)
	}
	for _, name := range []string{"strata", "stats", "cells"} {
		raw, ok := c.Input[name]
		if !ok {
			continue
		}
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out := make([][2]*gbStatistic, len(list))
		for i, item := range list {
			var pair []*gbStatistic
			if json.Unmarshal(item, &pair) == nil && len(pair) == 2 {
				out[i] = [2]*gbStatistic{pair[0], pair[1]}
				continue
			}
			var named map[string]json.RawMessage
			if err := json.Unmarshal(item, &named); err != nil {
				return nil, fmt.Errorf("%s[%d]: %w", name, i, err)
			}
			a, errA := one[gbStatistic](named, "control", "stat_a", "a")
			b, errB := one[gbStatistic](named, "treatment", "stat_b", "b")
			if errA != nil || errB != nil {
				return nil, fmt.Errorf("%s[%d]: %v, %v", name, i, errA, errB)
			}
			out[i] = [2]*gbStatistic{a, b}
		}
		return out, nil
	}
	a, errA := one[manyOf](c.Input, "control", "stat_a", "a", "controls", "stats_a")
	b, errB := one[manyOf](c.Input, "treatment", "stat_b", "b", "treatments", "stats_b")
	if errA != nil || errB != nil {
		return nil, fmt.Errorf("the arms: %v, %v", errA, errB)
	}
	if len(*a) != len(*b) {
		return nil, fmt.Errorf("%d statistics of the control, %d of the treatment", len(*a), len(*b))
	}
	out := make([][2]*gbStatistic, len(*a))
	for i := range out {
		out[i] = [2]*gbStatistic{(*a)[i], (*b)[i]}
	}
	return out, nil
}

// manyOf reads one statistic or a list of them.
type manyOf []*gbStatistic

func (m *manyOf) UnmarshalJSON(raw []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		return json.Unmarshal(raw, (*[]*gbStatistic)(m))
	}
	var s gbStatistic
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	*m = manyOf{&s}
	return nil
}

// one reads the first of several names that is there.
func one[T any](from map[string]json.RawMessage, names ...string) (*T, error) {
	for _, name := range names {
		if raw, ok := from[name]; ok {
			var v T
			if err := json.Unmarshal(raw, &v); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return &v, nil
		}
	}
	return nil, fmt.Errorf("none of %v is there", names)
}

func (c publishedCase) config() (gbConfig, error) {
	config := gbConfig{}
	raw := c.Input["config"]
	if len(raw) == 0 {
		flat, err := json.Marshal(c.Input)
		if err != nil {
			return config, err
		}
		raw = flat
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		return config, fmt.Errorf("config: %w", err)
	}
	if config.Alpha == 0 {
		config.Alpha = 0.05
	}
	if config.Tuning == 0 {
		config.Tuning = config.Tuning2
	}
	if config.Tuning == 0 {
		config.Tuning = 5000
	}
	return config, nil
}
