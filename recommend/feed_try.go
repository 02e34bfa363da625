package recommend

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/recommend/feeds"
)

// Bounds of a trial of a feed.
const (
	triedRows    = 1000
	triedBytes   = 16 << 20
	triedFor     = 20 * time.Second
	triedItems   = 10
	triedColumns = 200
)

// FeedColumn is a column of a feed.
type FeedColumn struct {
	Name  string `json:"name"`
	Field string `json:"field,omitempty" doc:"Property of items that it becomes; an attribute of its own name where empty"`
	Rows  int    `json:"rows" doc:"Rows with a value"`
}

// FeedTrial is what a feed would bring.
type FeedTrial struct {
	Rows     int             `json:"rows" doc:"Rows that were read, at most 1,000"`
	Taken    int             `json:"taken" doc:"Rows that would become items"`
	Rejected int             `json:"rejected"`
	Whole    bool            `json:"whole" doc:"Whether the feed was read to its end"`
	Error    string          `json:"error,omitempty" doc:"Why it could not be read"`
	Columns  []FeedColumn    `json:"columns" nullable:"false"`
	Items    []CatalogueItem `json:"items" nullable:"false" doc:"The first 10 that would be taken"`
	Rejects  []FeedReject    `json:"rejects" nullable:"false" doc:"The first 100 rows that would not be taken"`
	Seconds  float64         `json:"seconds"`
}

// errEnough ends a trial that has seen enough.
var errEnough = errors.New("enough was read")

// enough ends what it reads with errEnough after so many bytes.
type enough struct {
	in   io.Reader
	left int
}

func (e *enough) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, errEnough
	}
	n, err := e.in.Read(p[:min(len(p), e.left)])
	e.left -= n
	return n, err
}

// tryFeed reads the beginning of a feed and writes nothing.
func (s *Service) tryFeed(ctx context.Context, f *Feed) *FeedTrial {
	ctx, cancel := context.WithTimeout(ctx, triedFor)
	defer cancel()
	began := time.Now()
	report := &FeedReport{Rejects: []FeedReject{}}
	trial := &FeedTrial{Items: []CatalogueItem{}, Columns: []FeedColumn{}}
	r := &feedReading{s: s, feed: f, report: report}
	seen, columns := map[string]bool{}, map[string]int{}
	err := func() error {
		body, _, err := r.fetch(ctx, "")
		if err != nil {
			return err
		}
		defer body.Close()
		return feeds.Read(&enough{body, triedBytes}, f.Format, func(row feeds.Row) error {
			report.Rows++
			switch id, item, err := f.item(ctx, "", row.Values); {
			case row.Reject != "":
				report.reject(row.Number, "", row.Reject)
			case seen[id]:
				report.reject(row.Number, id, "the id came before in this feed")
			case err != nil:
				report.reject(row.Number, id, reasonOf(err))
				seen[id] = true
			default:
				seen[id] = true
				if trial.Taken++; len(trial.Items) < triedItems {
					trial.Items = append(trial.Items, CatalogueItem{Key: id, Item: item, Margin: item.Margin(), Standing: s.standing(&item, s.now())})
				}
			}
			for name, value := range row.Values {
				if _, known := columns[name]; value != nil && (known || len(columns) < triedColumns) {
					columns[name]++
				}
			}
			if report.Rows >= triedRows {
				return errEnough
			}
			return nil
		})
	}()
	trial.Whole = err == nil
	if err != nil && !errors.Is(err, errEnough) {
		trial.Error = clipText(err.Error())
	}
	fields := map[string]string{}
	for _, known := range itemFields {
		for _, name := range f.columns(known.field) {
			if columns[name] > 0 {
				fields[name] = known.field
				break
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		trial.Columns = append(trial.Columns, FeedColumn{Name: name, Field: fields[name], Rows: columns[name]})
	}
	trial.Rows, trial.Rejected, trial.Rejects, trial.Seconds = report.Rows, report.Rejected, report.Rejects, time.Since(began).Seconds()
	return trial
}

func (s *Service) feedTryRoute(srv *api.Server) {
	type input struct{ Body Feed }
	type output struct{ Body *FeedTrial }
	op := huma.Operation{
		OperationID: "test-feed", Method: http.MethodPost, Path: "/v1/feed-test", Tags: []string{"Feeds"},
		Summary: "Read the beginning of a feed that need not be saved, and write nothing", Errors: []int{401, 403, 422},
	}
	api.Require(api.ScopeAdmin)(&op)
	huma.Register(srv.API, op, func(ctx context.Context, in *input) (*output, error) {
		if err := ValidateFeed(ctx, "", &in.Body); err != nil {
			return nil, err
		}
		return &output{s.tryFeed(ctx, &in.Body)}, nil
	})
}
