package recommend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"quintet/internal/problem"
	"quintet/recommend/feeds"
)

// Bounds of one run of a feed.
const (
	feedLimit      = 15 * time.Minute
	maxFeedBytes   = 4 << 30
	maxFeedRows    = 1_000_000
	maxFeedRejects = 100  // kept with their reasons; all are counted
	feedBatch      = 1000 // items written at a time
	feedsAtOnce    = 4
	feedPause      = 5 * time.Second // between looks at what is due
)

// FeedReject is a row that was not taken.
type FeedReject struct {
	Row    int    `json:"row" doc:"Line, or number of the product where the format has no lines"`
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason"`
}

// FeedReport is what became of one run.
type FeedReport struct {
	Rows        int          `json:"rows" doc:"Rows that the feed has"`
	Written     int          `json:"written" doc:"Items that are new or differ from what was known"`
	Unchanged   int          `json:"unchanged"`
	Rejected    int          `json:"rejected"`
	Gone        int          `json:"gone" doc:"Items that the feed brought before and has not any more, and with which was done what the feed says"`
	NotModified bool         `json:"notModified,omitempty" doc:"The server said that nothing changed since the run before"`
	Note        string       `json:"note,omitempty"`
	Error       string       `json:"error,omitempty" doc:"Why the feed was not read to its end"`
	Rejects     []FeedReject `json:"rejects" nullable:"false" doc:"The first 100 rows that were not taken"`
	Seconds     float64      `json:"seconds"`
}

func (r *FeedReport) reject(row int, id, reason string) {
	r.Rejected++
	if len(r.Rejects) < maxFeedRejects {
		r.Rejects = append(r.Rejects, FeedReject{Row: row, ID: problem.Clip(id), Reason: reason})
	}
}

// feedReading is one run as it goes.
type feedReading struct {
	s      *Service
	key    string
	feed   *Feed
	report *FeedReport
	seen   map[string]struct{} // of the ids of the feed
	batch  map[string]Item
	rows   map[string]int // of the batch
	unread int            // rows of which not even the id is known
}

// readFeed fetches a feed and writes its items. validator is what the run before
// returned, empty to read in any case.
func (s *Service) readFeed(ctx context.Context, key string, f *Feed, validator string) (report *FeedReport, next string) {
	ctx, cancel := context.WithTimeout(ctx, feedLimit)
	defer cancel()
	began := time.Now()
	report = &FeedReport{Rejects: []FeedReject{}}
	next, err := (&feedReading{s: s, key: key, feed: f, report: report, seen: map[string]struct{}{}, batch: map[string]Item{}, rows: map[string]int{}}).read(ctx, validator)
	if err != nil {
		report.Error = clipText(err.Error())
		next = ""
	}
	report.Seconds = time.Since(began).Seconds()
	return report, next
}

func clipText(text string) string {
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "")
	}
	return strings.ReplaceAll(text, "\x00", "")
}

func (r *feedReading) read(ctx context.Context, validator string) (next string, err error) {
	body, next, err := r.fetch(ctx, validator)
	if err != nil || body == nil {
		return next, err
	}
	defer body.Close()
	limited := &io.LimitedReader{R: body, N: maxFeedBytes + 1}
	err = feeds.Read(limited, r.feed.Format, func(row feeds.Row) error {
		if r.report.Rows++; r.report.Rows > maxFeedRows {
			return fmt.Errorf("the feed has more than %d products", maxFeedRows)
		}
		return r.take(ctx, row)
	})
	if limited.N <= 0 {
		err = fmt.Errorf("the feed is larger than %d GiB", maxFeedBytes>>30)
	}
	if err == nil {
		err = r.write(ctx)
	}
	if err != nil {
		return "", err
	}
	return next, r.gone(ctx)
}

// fetch asks for the file; there is no body when it has not changed.
func (r *feedReading) fetch(ctx context.Context, validator string) (body io.ReadCloser, next string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.feed.URL, nil)
	if err != nil {
		return nil, "", fmt.Errorf("asking for the feed: %w", err)
	}
	for name, value := range r.feed.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", "Quintet")
	if tag, ok := strings.CutPrefix(validator, "etag "); ok {
		req.Header.Set("If-None-Match", tag)
	} else if since, ok := strings.CutPrefix(validator, "modified "); ok {
		req.Header.Set("If-Modified-Since", since)
	}
	resp, err := r.s.fetch.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("fetching the feed: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusNotModified && validator != "":
		_ = resp.Body.Close() // it has none
		r.report.NotModified = true
		return nil, validator, nil
	case resp.StatusCode != http.StatusOK:
		_ = resp.Body.Close() // what it says is not used
		return nil, "", fmt.Errorf("fetching the feed: the server answered %d", resp.StatusCode)
	}
	if tag := resp.Header.Get("ETag"); tag != "" && len(tag) < 300 {
		next = "etag " + tag
	} else if at := resp.Header.Get("Last-Modified"); at != "" && len(at) < 100 {
		next = "modified " + at
	}
	return resp.Body, next, nil
}

func (r *feedReading) take(ctx context.Context, row feeds.Row) error {
	if row.Reject != "" {
		r.unread++
		r.report.reject(row.Number, "", row.Reject)
		return nil
	}
	id, item, err := r.feed.item(ctx, r.key, row.Values)
	if _, twice := r.seen[id]; twice {
		r.report.reject(row.Number, id, "the id came before in this feed")
		return nil
	}
	if validItemKey(id) {
		// Also of a row that is refused: the item is not gone.
		r.seen[id] = struct{}{}
	}
	if err != nil {
		r.report.reject(row.Number, id, reasonOf(err))
		return nil
	}
	if v, ok := r.s.items.Get(id); ok && v.Value.Feed != "" && v.Value.Feed != r.key {
		if _, exists := r.s.feeds.Get(v.Value.Feed); exists {
			r.report.reject(row.Number, id, "the item belongs to the feed "+v.Value.Feed)
			return nil
		}
	}
	r.batch[id], r.rows[id] = item, row.Number
	if len(r.batch) >= feedBatch {
		return r.write(ctx)
	}
	return nil
}

func reasonOf(err error) string {
	var bad problem.Invalid
	if !errors.As(err, &bad) {
		return clipText(err.Error())
	}
	texts := make([]string, len(bad))
	for i, v := range bad {
		texts[i] = strings.TrimPrefix(v.Field+" ", " ") + v.Rule
	}
	return clipText(strings.Join(texts, "; "))
}

// write stores the batch: as a whole, or item by item where one of them is refused.
func (r *feedReading) write(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	by := "feed " + r.key
	written, err := r.s.items.PutChanged(ctx, r.batch, by)
	var bad problem.Invalid
	if errors.As(err, &bad) {
		err = nil
		for _, id := range slices.Sorted(maps.Keys(r.batch)) {
			n, one := r.s.items.PutChanged(ctx, map[string]Item{id: r.batch[id]}, by)
			if one != nil && !errors.As(one, &bad) {
				return one
			}
			if one != nil {
				r.report.reject(r.rows[id], id, reasonOf(one))
				delete(r.batch, id)
			}
			written += n
		}
	}
	if err != nil {
		return err
	}
	r.report.Written += written
	r.report.Unchanged += len(r.batch) - written
	clear(r.batch)
	clear(r.rows)
	return nil
}

// gone does with the items that the feed brought before what the feed says.
func (r *feedReading) gone(ctx context.Context) error {
	if r.feed.Gone == GoneKeep {
		return nil
	}
	all, gone := 0, map[string]Item{}
	for key, v := range r.s.items.Snapshot() {
		if v.Value.Feed != r.key {
			continue
		}
		_, there := r.seen[key]
		sold := v.Value.Stock != nil && *v.Value.Stock == 0
		if there || !sold {
			all++ // what is sold out and gone since long does not count
		}
		if !there && (r.feed.Gone == GoneDelete || !sold) {
			gone[key] = v.Value
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if r.unread > 0 {
		r.report.Note = fmt.Sprintf("%d items of the feed are not in it and stay as they are: they may be in the %d rows that cannot be read", len(gone), r.unread)
		return nil
	}
	if 2*len(gone) > all {
		// A feed that lost most of itself is more likely broken than the shop empty.
		r.report.Note = fmt.Sprintf("%d of %d items of the feed are not in it: they stay as they are, as a feed that lost so much may be broken", len(gone), all)
		return nil
	}
	by := "feed " + r.key
	keys := slices.Sorted(maps.Keys(gone))
	if r.feed.Gone == GoneDelete {
		for _, key := range keys {
			if err := r.s.items.Delete(ctx, key, by); err != nil {
				return fmt.Errorf("removing the item %s that is gone: %w", key, err)
			}
			r.report.Gone++
		}
		return nil
	}
	for chunk := range slices.Chunk(keys, feedBatch) {
		next := make(map[string]Item, len(chunk))
		for _, key := range chunk {
			item := gone[key]
			item.Stock = new(0)
			next[key] = item
		}
		n, err := r.s.items.PutChanged(ctx, next, by)
		if err != nil {
			return fmt.Errorf("marking items that are gone as sold out: %w", err)
		}
		r.report.Gone += n
	}
	return nil
}
