package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"quintet/recommend/generated"
	"quintet/recommend/implicit"
	"quintet/recommend/index"
	"quintet/recommend/interactions"
	"quintet/recommend/scoring"
	"quintet/recommend/vector"
)

// recommendRun is what the measurement of training is told.
type recommendRun struct {
	people, items, interactions int
	factors, block, epochs      int
	cores                       []int
	scan, approximate           int
	training, search, serving   bool
	connections                 int
	duration                    time.Duration
	profile, movielens          string
}

func newBenchRecommendCommand(profile *string) *cobra.Command {
	run := recommendRun{}
	cmd := &cobra.Command{
		Use:   "recommend",
		Short: "Measure the training of a recommender beside the arithmetic that it takes, the scan, the folding in, and lists over HTTP",
		Long: `Training factors generated interactions with the skew of real ones. Beside its time
is the lower bound of its arithmetic: the multiplications of the sums of outer products
and of the solutions, at the rate at which the same kernel runs on data in the cache, on
as many cores, in the same run. The scan stands beside the dot products alone.`,
		Args: cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			if run.factors < 1 || run.factors > implicit.MaxFactors || run.epochs < 1 || len(run.cores) == 0 || slices.Min(run.cores) < 1 {
				return fmt.Errorf("want 1 to %d factors, at least 1 epoch, and at least 1 core", implicit.MaxFactors)
			}
			run.profile = *profile
			if run.connections < 1 || run.duration <= 0 {
				return errors.New("want at least 1 connection and a duration above 0")
			}
			if run.training {
				stop, err := startProfile(profileOf(run.profile, !run.serving))
				if err != nil {
					return err
				}
				if err := errors.Join(measureTraining(cmd.Context(), run), stop()); err != nil {
					return err
				}
			}
			if run.search {
				if err := measureSearch(cmd.Context(), run); err != nil {
					return err
				}
			}
			if !run.serving {
				return nil
			}
			b, err := startBench(cmd.Context(), cmd.Context().Value(settingsKey{}).(settings).cfg)
			if err != nil {
				return err
			}
			defer closing(b.stop, &err)
			return measureServing(cmd.Context(), b, run)
		}),
	}
	cmd.Flags().IntVar(&run.people, "people", 140_000, "number of people")
	cmd.Flags().IntVar(&run.items, "items", 27_000, "number of items")
	cmd.Flags().IntVar(&run.interactions, "interactions", 20_000_000, "number of interactions")
	cmd.Flags().IntVar(&run.factors, "factors", 64, "number of factors")
	cmd.Flags().IntVar(&run.block, "block", 0, "factors that are solved for at a time; all when 0")
	cmd.Flags().IntVar(&run.epochs, "epochs", 2, "epochs that are measured for each number of cores")
	cmd.Flags().IntSliceVar(&run.cores, "cores", []int{1, 4}, "numbers of cores to train on")
	cmd.Flags().BoolVar(&run.training, "training", true, "measure training and folding in")
	cmd.Flags().BoolVar(&run.search, "search", true, "measure the scan")
	cmd.Flags().BoolVar(&run.serving, "serving", true, "measure lists over HTTP, and the time from an import to the first of them; a profile is of the last round of it")
	cmd.Flags().StringVar(&run.movielens, "movielens", "", "file of ratings of MovieLens (u.data) that is imported instead of generated interactions, for lists over HTTP")
	cmd.Flags().IntVar(&run.connections, "connections", 16, "connections that ask for lists at the same time")
	cmd.Flags().DurationVar(&run.duration, "duration", 3*time.Second, "length of one measurement of lists")
	cmd.Flags().IntVar(&run.scan, "scan", 100_000, "number of items that are scanned")
	cmd.Flags().IntVar(&run.approximate, "approximate", 0, "number of items of the approximate index; not measured when 0")
	return cmd
}

// profileOf is the name of a profile, and none where it is not wanted.
func profileOf(name string, wanted bool) string {
	if !wanted {
		return ""
	}
	return name
}

func measureTraining(ctx context.Context, run recommendRun) error {
	heading(fmt.Sprintf("Training iALS, %d factors (kernels: %s)", run.factors, vector.Kernels()))
	m, err := generated.Matrix(generated.Settings{People: run.people, Items: run.items, Interactions: run.interactions, Seed: 1})
	if err != nil {
		return err
	}
	most, largest := 0, m.Transpose()
	for i := range run.items {
		most = max(most, largest.Start[i+1]-largest.Start[i])
	}
	fmt.Printf("%d interactions, %d people with %d items; one in %.0f people has the most popular item\n\n", m.Entries(), m.Rows(), m.Columns, float64(m.Rows())/float64(most))
	largest = nil
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	var model *implicit.Model
	fmt.Println("cores  per epoch     lower bound   ratio   processor time  memory beside the matrix")
	for _, cores := range run.cores {
		if cores > runtime.NumCPU() {
			fmt.Printf("%5d  the machine has %d\n", cores, runtime.NumCPU())
			continue
		}
		runtime.GOMAXPROCS(cores)
		rate := kernelRate(run.factors, cores)
		heap := watchHeap()
		spent := processorTime()
		var per []float64
		var last time.Duration
		model, err = implicit.Train(ctx, m, implicit.Settings{Factors: run.factors, Block: run.block, Epochs: run.epochs, Workers: cores, Seed: 1}, implicit.Options{
			Progress: func(p implicit.Progress) { per, last = append(per, (p.Elapsed-last).Seconds()), p.Elapsed },
		})
		used, memory := processorTime()-spent, heap()
		if err != nil {
			return err
		}
		// The faster of the epochs: the first has the memory to touch.
		epoch, bound := slices.Min(per), trainingWork(run, m)/rate
		fmt.Printf("%5d  %8.2f s  %10.2f s  %6.2f  %12.2f s  %8.0f MB\n", cores, epoch, bound, epoch/bound, used.Seconds()/float64(run.epochs), float64(memory)/1e6)
	}
	runtime.GOMAXPROCS(before)
	if model == nil {
		return errors.New("no number of cores fits this machine")
	}
	fmt.Printf("\nThe matrix takes %.0f MB, twice as much with its transpose; the model %.0f MB.\n\n", float64(8*m.Entries()+8*m.Rows())/1e6, float64(len(model.Encode()))/1e6)
	return measureFoldIn(model, run)
}

// trainingWork is how many multiplications and additions an epoch takes at least: half
// of each outer product, as it is symmetric, and a factorisation and two triangular
// systems for each row.
func trainingWork(run recommendRun, m *interactions.Matrix) float64 {
	d := float64(run.factors)
	if b := float64(run.block); b > 0 && b < d {
		// Of each block an outer product; the predictions and their change once each.
		return 2*float64(m.Entries())*(d*(b+1)+6*d) + float64(m.Rows()+m.Columns)*(d/b*(b*b*b/3+2*b*b)+4*d*d)
	}
	return 2*float64(m.Entries())*d*(d+1) + float64(m.Rows()+m.Columns)*(d*d*d/3+2*d*d)
}

// kernelRate is how many multiplications and additions a second the kernel does on rows
// that lie in the cache, on so many cores together.
func kernelRate(factors, cores int) float64 {
	width := vector.Pad(factors)
	const rows = 128
	var done atomic.Int64
	var wg sync.WaitGroup
	started := time.Now()
	for range cores {
		wg.Go(func() {
			gathered, gram := make([]float32, rows*width), make([]float32, width*width)
			for time.Since(started) < time.Second {
				for range 50 {
					vector.AddGram(gram, width, width, 1, gathered, width, 0, rows)
				}
				done.Add(50)
			}
		})
	}
	wg.Wait()
	tiles := width / vector.Lane * (width/vector.Lane + 1) / 2
	return float64(done.Load()) * float64(rows*tiles*vector.Lane*vector.Lane*2) / time.Since(started).Seconds()
}

// watchHeap gives, when what it returns is called, by how much the heap grew at most.
func watchHeap() func() uint64 {
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before, most := stats.HeapAlloc, stats.HeapAlloc
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				runtime.ReadMemStats(&stats)
				most = max(most, stats.HeapAlloc)
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return most - before
	}
}

// measureFoldIn times the vector of somebody with so many events, and the list that
// follows from it.
func measureFoldIn(model *implicit.Model, run recommendRun) error {
	heading("Folding in somebody, and their list of 20")
	rng := rand.New(rand.NewPCG(2, 2))
	rate := kernelRate(run.factors, 1)
	person := make([]float32, model.Width())
	var list []scoring.Scored
	fmt.Println("events   folding in p50     p99   lower bound   ratio   with the list p50     p99")
	for _, events := range []int{1, 5, 20, 100, 500} {
		var fold, whole []float64
		for range 2000 {
			history := make([]interactions.Event, events)
			for i := range history {
				history[i] = interactions.Event{Item: int32(rng.IntN(model.Items())), Weight: 1, At: int64(i)}
			}
			started := time.Now()
			model.FoldIn(history, person)
			fold = append(fold, float64(time.Since(started).Nanoseconds())/1000)
			started = time.Now()
			list = model.Recommend(history, nil, 20, list[:0])
			whole = append(whole, float64(time.Since(started).Nanoseconds())/1000)
		}
		d := float64(run.factors)
		bound := (float64(events)*d*(d+1) + d*d*d/3 + 2*d*d) / rate * 1e6
		fmt.Printf("%6d  %12.1f µs %6.1f µs %9.1f µs  %6.1f  %13.1f µs %6.1f µs\n", events, quantile(fold, .5), quantile(fold, .99), bound, quantile(fold, .5)/bound, quantile(whole, .5), quantile(whole, .99))
	}
	fmt.Println()
	return nil
}

func quantile(values []float64, share float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[min(len(values)-1, int(share*float64(len(values))))]
}

// measureSearch times the best 20 of many items.
func measureSearch(ctx context.Context, run recommendRun) error {
	for _, form := range []struct {
		name   string
		spread float64
	}{{"rows of one length: nothing can be spared", 0}, {"rows of lengths like those of a catalogue", .5}} {
		heading(fmt.Sprintf("The best 20 of %d x %d, exactly, on one core: %s", run.scan, run.factors, form.name))
		factors := randomRows(run.scan, run.factors, form.spread)
		s, err := index.NewScan(factors, run.scan, run.factors)
		if err != nil {
			return err
		}
		rows, scores := make([]float32, run.scan*s.Width()), make([]float32, run.scan)
		for i := range int32(run.scan) {
			copy(rows[int(i)*s.Width():], s.Row(i))
		}
		var products, scans []float64
		var list []scoring.Scored
		for i := range 300 {
			query := s.Row(int32(i * 97 % run.scan))
			started := time.Now()
			vector.DotRows(query, rows, scores)
			products = append(products, float64(time.Since(started).Microseconds()))
			started = time.Now()
			list = s.Search(query, nil, 20, list[:0])
			scans = append(scans, float64(time.Since(started).Microseconds()))
		}
		fmt.Printf("dot products alone  p50 %5.0f µs  p99 %5.0f µs\nscan                p50 %5.0f µs  p99 %5.0f µs  ratio %.2f\n\n", quantile(products, .5), quantile(products, .99), quantile(scans, .5), quantile(scans, .99), quantile(scans, .5)/quantile(products, .5))
	}
	if run.approximate == 0 {
		return nil
	}
	heading(fmt.Sprintf("The best 10 of %d x %d, nearly", run.approximate, run.factors))
	return measureApproximate(ctx, run)
}

func measureApproximate(ctx context.Context, run recommendRun) error {
	s, err := index.NewScan(tasteRows(run.approximate, run.factors), run.approximate, run.factors)
	if err != nil {
		return err
	}
	started := time.Now()
	l, err := index.NewLists(ctx, s, index.ListsSettings{Seed: 1})
	if err != nil {
		return err
	}
	built := time.Since(started)
	var near, exact []float64
	var list, truth []scoring.Scored
	found, all := 0, 0
	for i := range 300 {
		query := s.Row(int32(i * 9973 % run.approximate))
		started := time.Now()
		truth = s.Search(query, nil, 10, truth[:0])
		exact = append(exact, float64(time.Since(started).Microseconds()))
		started = time.Now()
		list = l.Search(query, nil, 10, list[:0])
		near = append(near, float64(time.Since(started).Microseconds()))
		for _, want := range truth {
			all++
			if slices.ContainsFunc(list, func(got scoring.Scored) bool { return got.Item == want.Item }) {
				found++
			}
		}
	}
	probed, lists := l.Probe()
	fmt.Printf("built in %.1f s, %d of %d lists looked into\nexact  p50 %6.0f µs  p99 %6.0f µs\nnear   p50 %6.0f µs  p99 %6.0f µs  ratio %.3f  recall@10 %.3f\n", built.Seconds(), probed, lists, quantile(exact, .5), quantile(exact, .99), quantile(near, .5), quantile(near, .99), quantile(near, .5)/quantile(exact, .5), float64(found)/float64(all))
	return nil
}

// randomRows have directions at random and lengths around 1, whose logarithm has a
// standard deviation.
func randomRows(n, d int, spread float64) []float32 {
	rng := rand.New(rand.NewPCG(3, 3))
	out := make([]float32, n*d)
	for r := range n {
		row := out[r*d : (r+1)*d]
		for i := range row {
			row[i] = float32(rng.NormFloat64())
		}
		scaleTo(row, lognormal(rng, spread))
	}
	return out
}

// tasteRows lie around the directions of some tastes, with about one length, so that
// the exact scan cannot stop early.
func tasteRows(n, d int) []float32 {
	rng := rand.New(rand.NewPCG(4, 4))
	tastes := randomRows(200, d, 0)
	out := make([]float32, n*d)
	for r := range n {
		row, taste := out[r*d:(r+1)*d], rng.IntN(200)
		for i := range row {
			row[i] = tastes[taste*d+i] + float32(rng.NormFloat64()/12)
		}
		scaleTo(row, lognormal(rng, .05))
	}
	return out
}

func lognormal(rng *rand.Rand, spread float64) float64 { return math.Exp(spread * rng.NormFloat64()) }

func scaleTo(row []float32, length float64) {
	square := 0.0
	for _, v := range row {
		square += float64(v) * float64(v)
	}
	scale := float32(length / math.Sqrt(square))
	for i := range row {
		row[i] *= scale
	}
}
