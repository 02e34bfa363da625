package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"quintet/recommend/content"
	"quintet/recommend/ease"
	"quintet/recommend/implicit"
	"quintet/recommend/interactions"
	"quintet/recommend/neighbours"
	"quintet/recommend/offline"
	"quintet/recommend/popular"
	"quintet/recommend/scoring"
	"quintet/recommend/sequential"
)

// recommendEvaluation is what the evaluation of recommenders is told.
type recommendEvaluation struct {
	format, separator, test, protocol string
	columns                           interactions.Columns
	minWeight, share, input           float64
	negatives, trials                 int
	again, binary, fallBack, asJSON   bool
	halfLife                          float64
	models                            []string
	k                                 []int
	seed                              uint64
	ials                              implicit.Settings
	items, itemID, margin             string
	lambda, shrinkage                 float64
}

// The protocols.
const (
	protocolTime   = "time"
	protocolOne    = "leave-one-out"
	protocolStrong = "strong"
	protocolRandom = "random"
)

// recommenders are the methods that can be evaluated.
var recommenders = []string{"popular", "item-item", "item-item-bm25", "item-item-lift", "people", "sequential", content.Kind, ease.Kind, implicit.Kind}

func newEvaluateRecommendCommand() *cobra.Command {
	ask := recommendEvaluation{ials: implicit.Settings{Factors: 64, Regularisation: .007, Unobserved: .3, Epochs: 12}}
	cmd := &cobra.Command{
		Use:   "recommend FILE",
		Short: "Compare recommenders on a file of interactions",
		Long: `Trains recommenders on a part of the interactions and measures how well they find the
rest. FILE has a row for each interaction: person, item, and if wanted weight and time
("-" reads the standard input). With --test, FILE is what is trained on, and the other
file what is to be found; otherwise the protocol divides FILE:

  time           what came after the first --share of the events
  leave-one-out  the last new item of everybody
  strong         some of the items of a --share of the people, who teach nothing
  random         a --share of everybody's items

Intervals are of 95 %, those of the difference to the first model person by person. With
--search, iALS is tuned first by NDCG on items of the part for training, so that what is
measured at the end was never seen.`,
		Args: cobra.ExactArgs(1),
		RunE: withSettings(func(cmd *cobra.Command, args []string) error {
			ask.ials.Seed = ask.seed
			report, err := ask.run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if ask.asJSON {
				encoder := json.NewEncoder(os.Stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(report)
			}
			return report.write(os.Stdout)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&ask.format, "format", "csv", "format of the file: csv with a header, or movielens")
	f.StringVar(&ask.columns.Person, "person", "person", "column of the person")
	f.StringVar(&ask.columns.Item, "item", "item", "column of the item")
	f.StringVar(&ask.columns.Weight, "weight", "", "column of the weight (default 1 for every row)")
	f.StringVar(&ask.columns.Time, "time", "", "column of the time: seconds since 1970, or a date (default the order of the rows)")
	f.StringVar(&ask.separator, "separator", ",", "character between fields")
	f.StringVar(&ask.test, "test", "", "file with what is to be found, in the same format")
	f.StringVar(&ask.protocol, "protocol", protocolTime, "how FILE is divided: time, leave-one-out, strong or random")
	f.Float64Var(&ask.share, "share", .2, "share of the events (time: at the end), of the people (strong) or of everybody's items (random) that is to be found")
	f.Float64Var(&ask.input, "input", .8, "share of the items that a hidden person is known by (strong)")
	f.BoolVar(&ask.again, "again", false, "rank what somebody had before too, as where people buy the same things again (time)")
	f.IntVar(&ask.negatives, "negatives", 0, "rank among so many sampled items instead of all; such figures compare with nothing else")
	f.Float64Var(&ask.minWeight, "min-weight", 0, "weight from which on an interaction counts")
	f.BoolVar(&ask.binary, "binary", true, "count a pair of person and item as 1, whatever its events weigh")
	f.StringVar(&ask.items, "items", "", "CSV file of the items, whose columns are compared for diversity and by the model content")
	f.StringVar(&ask.itemID, "item-id", "item", "column of the item in --items")
	f.StringVar(&ask.margin, "margin", "", "column of --items with what one sale earns, for profit")
	f.BoolVar(&ask.fallBack, "fall-back", true, "fill lists up with what is popular, as in serving")
	f.Float64Var(&ask.halfLife, "half-life", 0, "days after which an event counts half; with --binary=false")
	f.StringSliceVar(&ask.models, "model", []string{"popular", "item-item", implicit.Kind}, "what to compare: "+strings.Join(recommenders, ", "))
	f.IntSliceVar(&ask.k, "k", []int{10}, "lengths of lists")
	f.IntVar(&ask.ials.Factors, "factors", ask.ials.Factors, "factors of iALS")
	f.Float64Var(&ask.ials.Regularisation, "regularisation", ask.ials.Regularisation, "regularisation of iALS")
	f.Float64Var(&ask.ials.Unobserved, "unobserved", ask.ials.Unobserved, "weight of what was not observed, of iALS")
	f.IntVar(&ask.ials.Epochs, "epochs", ask.ials.Epochs, "epochs of iALS")
	f.IntVar(&ask.ials.Block, "block", 0, "factors that iALS solves for at a time; all when 0")
	f.Float64Var(&ask.lambda, "lambda", 500, "regularisation of EASE")
	f.Float64Var(&ask.shrinkage, "shrinkage", 10, "shrinkage of item-item")
	f.IntVar(&ask.trials, "search", 0, "tune iALS with so many trials")
	f.Uint64Var(&ask.seed, "seed", 1, "seed of what is drawn")
	f.BoolVar(&ask.asJSON, "json", false, "print JSON")
	return cmd
}

func (ask *recommendEvaluation) run(ctx context.Context, file string) (*recommendReport, error) {
	for _, model := range ask.models {
		if !slices.Contains(recommenders, model) {
			return nil, fmt.Errorf("--model must be of %s, got %q", strings.Join(recommenders, ", "), model)
		}
	}
	split, err := ask.split(file)
	if err != nil {
		return nil, err
	}
	out := &recommendReport{Protocol: split.Protocol, People: len(split.Cases), Items: split.Train.Items().Len(), Interactions: split.Train.Len(), K: ask.k}
	if ask.trials > 0 {
		if out.Search, err = ask.search(ctx, split.Train); err != nil {
			return nil, err
		}
		ask.ials = ask.ials.With(out.Search[0].Values)
	}
	catalogue, err := ask.catalogue(split.Train.Items())
	if err != nil {
		return nil, err
	}
	options := offline.Options{K: ask.k, Margin: catalogue.margin}
	if catalogue.likeness != nil {
		options.Similarity = catalogue.likeness.Cosine
	}
	var first *offline.Report
	for _, name := range ask.models {
		var scorer scoring.Scorer = catalogue.likeness
		if name != content.Kind {
			if scorer, err = ask.train(ctx, name, split.Train, ask.ials); err != nil {
				return nil, err
			}
		} else if catalogue.likeness == nil {
			return nil, errors.New("the model content needs --items")
		}
		if ask.fallBack && name != popular.Kind {
			most, err := ask.train(ctx, popular.Kind, split.Train, ask.ials)
			if err != nil {
				return nil, err
			}
			scorer = scoring.Chain{scorer, most}
		}
		report, err := offline.Evaluate(ctx, scorer, split, options)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		entry := recommendModelReport{Model: name, Report: report}
		if first == nil {
			first = report
		} else {
			for _, k := range ask.k {
				difference, err := offline.Difference(first, report, offline.NDCG, k)
				if err != nil {
					return nil, err
				}
				entry.Difference = append(entry.Difference, difference)
			}
		}
		out.Models = append(out.Models, entry)
	}
	return out, nil
}

// split reads the file or files and divides them.
func (ask *recommendEvaluation) split(file string) (*offline.Split, error) {
	if ask.test != "" {
		train, err := ask.read(file)
		if err != nil {
			return nil, err
		}
		test, err := ask.read(ask.test)
		if err != nil {
			return nil, err
		}
		logs, err := interactions.BuildTogether(train, test)
		if err != nil {
			return nil, err
		}
		split, err := offline.Given(logs[0], logs[1], float32(ask.minWeight))
		if err != nil {
			return nil, err
		}
		return ask.sampled(split), nil
	}
	b, err := ask.read(file)
	if err != nil {
		return nil, err
	}
	l, weight := b.Build(), float32(ask.minWeight)
	var split *offline.Split
	switch ask.protocol {
	case protocolTime:
		if !(ask.share > 0 && ask.share < 1) {
			return nil, fmt.Errorf("--share must lie between 0 and 1, got %v", ask.share)
		}
		split = offline.TimeSplit(l, weight, offline.Quantile(l, 1-ask.share), 0, ask.again)
	case protocolOne:
		split = offline.LeaveOneOut(l, weight)
	case protocolStrong:
		split, err = offline.StrongGeneralisation(l, weight, ask.share, ask.input, ask.seed)
	case protocolRandom:
		split, err = offline.Holdout(l, weight, ask.share, ask.seed)
	default:
		return nil, fmt.Errorf("--protocol must be time, leave-one-out, strong or random, got %q", ask.protocol)
	}
	if err != nil {
		return nil, err
	}
	return ask.sampled(split), nil
}

func (ask *recommendEvaluation) sampled(s *offline.Split) *offline.Split {
	if ask.negatives > 0 {
		return s.WithNegatives(ask.negatives, ask.seed)
	}
	return s
}

func (ask *recommendEvaluation) read(file string) (*interactions.Builder, error) {
	format := interactions.Format{Columns: ask.columns}
	switch ask.format {
	case "movielens":
		format = interactions.MovieLens()
	case "csv":
		separator, size := utf8.DecodeRuneInString(ask.separator)
		if size != len(ask.separator) || size == 0 {
			return nil, fmt.Errorf("--separator must be one character, got %q", ask.separator)
		}
		format.Separator = separator
	default:
		return nil, fmt.Errorf("--format must be csv or movielens, got %q", ask.format)
	}
	in := os.Stdin
	if file != "-" {
		var err error
		if in, err = os.Open(file); err != nil {
			return nil, fmt.Errorf("opening the interactions: %w", err)
		}
		defer in.Close()
	}
	b := new(interactions.Builder)
	if _, err := interactions.Read(in, format, b, nil); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if b.Len() == 0 {
		return nil, fmt.Errorf("%s has no interactions", file)
	}
	// By their ids, the last first: equal scores then give the same list whatever the
	// order of the rows, and the one that published figures have.
	b.SortItems(func(x, y string) int { return strings.Compare(y, x) })
	return b, nil
}

func (ask *recommendEvaluation) weighting(l *interactions.Log) interactions.Weighting {
	_, last := l.Span()
	return interactions.Weighting{Binary: ask.binary, HalfLife: ask.halfLife * 86_400, Now: last}
}

func (ask *recommendEvaluation) train(ctx context.Context, name string, l *interactions.Log, ials implicit.Settings) (scoring.Scorer, error) {
	w := ask.weighting(l)
	switch name {
	case "popular":
		return popular.Count(l, w)
	case "item-item", "item-item-bm25", "item-item-lift":
		measure := neighbours.Measure(strings.TrimPrefix(strings.TrimPrefix(name, "item-item"), "-"))
		w.Latest = math.MaxInt32 // as a file is of a bounded size
		return neighbours.Train(ctx, l, neighbours.Settings{Measure: measure, Shrinkage: ask.shrinkage, Neighbours: 100, Weighting: w})
	case "people":
		return neighbours.NewPeople(l, neighbours.PeopleSettings{Weighting: w})
	case "sequential":
		return sequential.Train(ctx, l, sequential.Settings{})
	}
	m, err := l.Matrix(w)
	if err != nil {
		return nil, err
	}
	if name == ease.Kind {
		return ease.Train(ctx, m, ease.Settings{Regularisation: ask.lambda, Weighting: w})
	}
	ials.Weighting = w
	return implicit.Train(ctx, m, ials, implicit.Options{})
}

// search tunes iALS on a fifth of everybody's items of the part for training.
func (ask *recommendEvaluation) search(ctx context.Context, l *interactions.Log) ([]offline.Trial, error) {
	validation, err := offline.Holdout(l, 0, .2, ask.seed)
	if err != nil {
		return nil, err
	}
	k := slices.Min(ask.k)
	return offline.Search(ctx, implicit.Space(), ask.trials, ask.seed, offline.NDCG, k, func(ctx context.Context, values map[string]float64) (*offline.Report, error) {
		scorer, err := ask.train(ctx, implicit.Kind, validation.Train, ask.ials.With(values))
		if err != nil {
			return nil, err
		}
		return offline.Evaluate(ctx, scorer, validation, offline.Options{K: []int{k}})
	})
}

// recommendReport is what the comparison came to.
type recommendReport struct {
	Protocol     string                 `json:"protocol"`
	People       int                    `json:"people"`
	Items        int                    `json:"items"`
	Interactions int                    `json:"interactions"`
	K            []int                  `json:"k"`
	Search       []offline.Trial        `json:"search,omitempty"`
	Models       []recommendModelReport `json:"models"`
}

type recommendModelReport struct {
	Model      string           `json:"model"`
	Report     *offline.Report  `json:"report"`
	Difference []offline.Figure `json:"differenceToFirst,omitempty"`
}

// shown are the measures of the table; JSON has all.
var shown = []string{offline.HitRate, offline.Recall, offline.NDCG, offline.MAP, offline.Coverage, offline.Novelty, offline.Diversity, offline.Profit}

func (r *recommendReport) write(out io.Writer) error {
	if len(r.Models) == 0 {
		return errors.New("there is no model to compare")
	}
	fmt.Fprintf(out, "Protocol %s: %d people are asked about %d items, %d interactions teach\n\n", r.Protocol, r.People, r.Items, r.Interactions)
	if len(r.Search) > 0 {
		best := r.Search[0]
		fmt.Fprintf(out, "iALS after %d trials (NDCG %.4f on the validation part):", len(r.Search), best.Value)
		for _, name := range slices.Sorted(maps.Keys(best.Values)) {
			fmt.Fprintf(out, " %s %.4g", name, best.Values[name])
		}
		fmt.Fprint(out, "\n\n")
	}
	for i, k := range r.K {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprint(w, "model")
		taken := slices.DeleteFunc(slices.Clone(shown), func(m string) bool { return math.IsNaN(r.Models[0].Report.Value(m, k)) })
		for _, measure := range taken {
			fmt.Fprintf(w, "\t%s@%d", measure, k)
		}
		fmt.Fprintf(w, "\t±\tNDCG beside %s\n", r.Models[0].Model)
		for _, m := range r.Models {
			fmt.Fprint(w, m.Model)
			for _, measure := range taken {
				fmt.Fprintf(w, "\t%.4f", m.Report.Value(measure, k))
			}
			for _, f := range m.Report.Figures {
				if f.Measure == offline.NDCG && f.K == k {
					fmt.Fprintf(w, "\t%.4f", f.Upper-f.Value)
				}
			}
			if len(m.Difference) > 0 {
				d := m.Difference[i]
				fmt.Fprintf(w, "\t%+.4f (%+.4f to %+.4f)", d.Value, d.Lower, d.Upper)
			}
			fmt.Fprintln(w)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(out, "± is half the 95 % interval of NDCG.")
	}
	return nil
}
