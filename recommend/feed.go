package recommend

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"quintet/internal/problem"
	"quintet/recommend/feeds"
)

// Gone says what becomes of items that a feed does not have any more.
type Gone string

// What becomes of them.
const (
	GoneSoldOut Gone = "sold-out" // their stock is set to 0
	GoneDelete  Gone = "delete"   // they leave the catalogue
	GoneKeep    Gone = "keep"     // they stay as they are
)

// Feed is a file with products at an address, which is read on a schedule.
type Feed struct {
	Name    string            `json:"name,omitempty" maxLength:"200"`
	URL     string            `json:"url" doc:"http or https address that the file is fetched from" minLength:"1" maxLength:"2000"`
	Format  feeds.Format      `json:"format" enum:"csv,ndjson,json,xml" doc:"xml is that of the Google Merchant specification"`
	Headers map[string]string `json:"headers,omitempty" doc:"Sent with the request, such as Authorization"`
	// EveryMinutes is the pause between the beginnings of two runs.
	EveryMinutes int `json:"everyMinutes,omitempty" doc:"60 unless set" minimum:"1" maximum:"10080"`
	// Fields names the column of each property of an item; those that it leaves out
	// are found by the names that are common for them.
	Fields map[string]string `json:"fields,omitempty" doc:"Which column is the id, name, text, category, price, cost, stock, imageUrl, availableFrom or availableUntil; found by the usual names where absent. Other columns become attributes"`
	Gone   Gone              `json:"gone,omitempty" enum:"sold-out,delete,keep" doc:"What becomes of items that the feed brought and does not have any more; sold-out unless set. Never applied when more than half are gone"`
	// ExpireHours is after how long without a run that succeeded the items of the feed
	// are not shown any more.
	ExpireHours int  `json:"expireHours,omitempty" doc:"Hours without a successful run after which items of the feed are not recommended; never when 0" minimum:"0" maximum:"8760"`
	Paused      bool `json:"paused,omitempty" doc:"Read only when asked to"`
}

// itemFields are the properties that a column can be, each with the names by which it
// is found: those of Google's specification, of this API, and common ones.
var itemFields = []struct {
	field string
	names []string
}{
	{"id", []string{"id", "key", "sku", "product_id"}},
	{"name", []string{"name", "title"}},
	{"text", []string{"text", "description"}},
	{"category", []string{"category", "product_type", "google_product_category"}},
	{"price", []string{"price"}},
	{"cost", []string{"cost", "cost_of_goods_sold"}},
	{"stock", []string{"stock", "quantity", "inventory", "availability"}},
	{"imageUrl", []string{"imageUrl", "image_url", "image_link", "image"}},
	{"availableFrom", []string{"availableFrom", "availability_date"}},
	{"availableUntil", []string{"availableUntil", "expiration_date"}},
}

// ValidateFeed checks a feed and fills in what it leaves out.
func ValidateFeed(_ context.Context, _ string, f *Feed) error {
	var bad problem.Invalid
	if u, err := url.Parse(f.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || len(f.URL) > maxURL {
		bad.Add("url", "must be an http or https address", problem.Clip(f.URL))
	} else if ip := net.ParseIP(u.Hostname()); ip != nil && (ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast()) {
		// Addresses at which clouds give out credentials of machines are among these.
		bad.Add("url", "must not be a link-local, unspecified or multicast address", problem.Clip(f.URL))
	}
	if !slices.Contains(feeds.Formats(), f.Format) {
		bad.Add("format", "must be csv, ndjson, json or xml", string(f.Format))
	}
	if len(f.Headers) > 20 {
		bad.Add("headers", "must have at most 20 entries", len(f.Headers))
	}
	for name, value := range f.Headers {
		if name == "" || len(name) > 100 || len(value) > 2000 || strings.ContainsAny(name+value, "\r\n\x00") || strings.ContainsAny(name, " :") {
			bad.Add("headers", "must have names and values as HTTP has them, values of at most 2000 bytes", problem.Clip(name))
		}
	}
	if f.EveryMinutes == 0 {
		f.EveryMinutes = 60
	}
	if f.EveryMinutes < 1 || f.EveryMinutes > 7*24*60 {
		bad.Add("everyMinutes", "must be 1 to 10080", f.EveryMinutes)
	}
	if f.ExpireHours < 0 || f.ExpireHours > 8760 {
		bad.Add("expireHours", "must be 0 to 8760", f.ExpireHours)
	}
	if f.ExpireHours > 0 && f.ExpireHours*60 <= f.EveryMinutes {
		bad.Add("expireHours", "must be longer than the pause between two runs", f.ExpireHours)
	}
	switch f.Gone {
	case "":
		f.Gone = GoneSoldOut
	case GoneSoldOut, GoneDelete, GoneKeep:
	default:
		bad.Add("gone", "must be sold-out, delete or keep", string(f.Gone))
	}
	for field, column := range f.Fields {
		if !slices.ContainsFunc(itemFields, func(known struct {
			field string
			names []string
		}) bool {
			return known.field == field
		}) || column == "" || len(column) > 200 {
			bad.Add("fields."+problem.Clip(field), "must be a property of items with the name of its column", problem.Clip(column))
		}
	}
	return bad.Err()
}

// columns says which columns may hold a property, the best first.
func (f *Feed) columns(field string) []string {
	if name := f.Fields[field]; name != "" {
		return []string{name}
	}
	for _, known := range itemFields {
		if known.field == field {
			return known.names
		}
	}
	return nil
}

// item makes the item of a row. Its problems name the properties.
func (f *Feed) item(ctx context.Context, feed string, values map[string]any) (id string, item Item, err error) {
	var bad problem.Invalid
	used := map[string]bool{}
	text := func(field string) string {
		for _, column := range f.columns(field) {
			if v, ok := values[column]; ok && v != nil {
				used[column] = true
				if list, ok := v.([]any); ok && len(list) > 0 {
					v = list[0] // of several categories or pictures the first
				}
				return strings.TrimSpace(plain(v))
			}
		}
		return ""
	}
	id = text("id")
	if !validItemKey(id) {
		bad.Add("id", "must be 1 to 128 letters, digits, dots, colons, dashes and underscores and begin with a letter or digit", problem.Clip(id))
	}
	item = Item{Name: text("name"), Text: text("text"), Category: categoryOf(text("category")), ImageURL: text("imageUrl"), Feed: feed}
	for _, money := range []struct {
		field string
		value *float64
	}{{"price", &item.Price}, {"cost", &item.Cost}} {
		if t := text(money.field); t != "" {
			v, ok := amount(t)
			if !ok {
				bad.Add(money.field, "must be a number, with or without a currency", problem.Clip(t))
			}
			*money.value = v
		}
	}
	if t := text("stock"); t != "" {
		if n, ok := stockOf(t); !ok {
			bad.Add("stock", "must be a whole number, or in stock, out of stock, preorder or backorder", problem.Clip(t))
		} else {
			item.Stock = n
		}
	}
	for _, moment := range []struct {
		field string
		value **time.Time
	}{{"availableFrom", &item.AvailableFrom}, {"availableUntil", &item.AvailableUntil}} {
		if t := text(moment.field); t != "" {
			if at, ok := timeOf(t); ok {
				*moment.value = &at
			} else {
				bad.Add(moment.field, "must be a time as in ISO 8601", problem.Clip(t))
			}
		}
	}
	for column, value := range values {
		if used[column] || value == nil {
			continue
		}
		if item.Attributes == nil {
			item.Attributes = map[string]any{}
		}
		if column == "attributes" {
			if inner, ok := value.(map[string]any); ok {
				for name, v := range inner {
					item.Attributes[name] = v
				}
				continue
			}
		}
		item.Attributes[column] = value
	}
	if err := ValidateItem(ctx, id, &item); err != nil {
		bad.Nest("", err)
	}
	return id, item, bad.Err()
}

// plain is a value as text.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// categoryOf writes the levels of a category with / between them: Google has " > ".
func categoryOf(text string) string {
	if !strings.Contains(text, ">") {
		return text
	}
	levels := strings.Split(text, ">")
	for i := range levels {
		levels[i] = strings.ReplaceAll(strings.TrimSpace(levels[i]), "/", "-")
	}
	return strings.Join(levels, "/")
}

// amount reads 12.50, "12.50 EUR" and "EUR 12,50".
func amount(text string) (float64, bool) {
	number := strings.TrimFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789.,-+", r) })
	if len(text)-len(number) > 6 {
		return 0, false
	}
	if !strings.Contains(number, ".") && strings.Count(number, ",") == 1 && len(number)-strings.Index(number, ",") <= 3 {
		number = strings.Replace(number, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(number, ",", ""), 64)
	return v, err == nil
}

// stockOf reads a number of pieces or the availability of Google's specification; nil
// is without bound.
func stockOf(text string) (*int, bool) {
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		if n := int(f); float64(n) == f {
			return &n, true
		}
		return nil, false
	}
	switch strings.ToLower(strings.ReplaceAll(text, "_", " ")) {
	case "in stock", "preorder", "backorder", "available":
		return nil, true
	case "out of stock", "sold out", "discontinued":
		return new(0), true
	}
	return nil, false
}

func timeOf(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04-0700", "2006-01-02T15:04:05-0700", "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// validItemKey says whether an item can have the key: it is what the API takes.
func validItemKey(key string) bool {
	if len(key) == 0 || len(key) > 128 {
		return false
	}
	for i, c := range []byte(key) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._:-", rune(c))) {
			return false
		}
	}
	return true
}
