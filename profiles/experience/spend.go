package experience

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// Limits of a call with marketing spend.
const (
	maxSpendRows = 10_000
	maxSpendBody = 4 << 20 // bytes
)

// Spend is what marketing cost on a day.
type Spend struct {
	Day      string  `json:"day" format:"date" doc:"YYYY-MM-DD"`
	Channel  string  `json:"channel" minLength:"1" maxLength:"100"`
	Campaign string  `json:"campaign,omitempty" maxLength:"200"`
	Amount   float64 `json:"amount" minimum:"0" doc:"With up to four decimals"`
	Currency string  `json:"currency" minLength:"3" maxLength:"3" doc:"ISO 4217, such as EUR"`
}

var currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)

const mostAmount = 1e12

func (s *Spend) validate(at string) problem.Invalid {
	var bad problem.Invalid
	if t, err := time.Parse(time.DateOnly, s.Day); err != nil || t.Year() < 1971 || t.Year() > 2148 {
		bad.Add(at+".day", "must be a day such as 2026-11-22", problem.Clip(s.Day))
	}
	checkName(&bad, at+".channel", s.Channel)
	if s.Campaign != "" {
		checkName(&bad, at+".campaign", s.Campaign)
	}
	switch {
	case !(s.Amount >= 0 && s.Amount <= mostAmount):
		bad.Add(at+".amount", "must be 0 to 1000000000000", fmt.Sprint(s.Amount))
	case !decimal.NewFromFloat(s.Amount).Equal(decimal.NewFromFloat(s.Amount).Round(4)):
		bad.Add(at+".amount", "must have at most four decimals", s.Amount)
	}
	if !currencyPattern.MatchString(s.Currency) {
		bad.Add(at+".currency", "must be three letters of ISO 4217, such as EUR", problem.Clip(s.Currency))
	}
	return bad
}

// checkSpend names each field that breaks a rule. Two rows of one day, channel,
// campaign and currency are refused: the second would take the place of the first.
func checkSpend(rows []Spend) error {
	var bad problem.Invalid
	if n := len(rows); n < 1 || n > maxSpendRows {
		bad.Add("rows", fmt.Sprintf("must be 1 to %d rows", maxSpendRows), n)
		return bad
	}
	first := map[[4]string]int{}
	for i := range rows {
		r := &rows[i]
		at := fmt.Sprintf("rows[%d]", i)
		bad = append(bad, r.validate(at)...)
		key := [4]string{r.Day, r.Channel, r.Campaign, r.Currency}
		if j, twice := first[key]; twice {
			bad.Add(at, fmt.Sprintf("must differ from rows[%d] in day, channel, campaign or currency", j), nil)
		}
		first[key] = i
	}
	return bad.Err()
}

// parseCSV reads rows with the columns day, channel, campaign, amount and
// currency in any order; campaign may be missing.
func parseCSV(data []byte) ([]Spend, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, problem.Invalid{{Field: "body", Rule: "must be CSV with a header of day, channel, campaign, amount and currency"}}
	}
	columns := map[string]int{}
	var bad problem.Invalid
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		switch name {
		case "day", "channel", "campaign", "amount", "currency":
			if _, twice := columns[name]; twice {
				bad.Add("header", "must name each column once", name)
			}
			columns[name] = i
		default:
			bad.Add("header", "must be of day, channel, campaign, amount and currency", problem.Clip(name))
		}
	}
	for _, name := range []string{"day", "channel", "amount", "currency"} {
		if _, there := columns[name]; !there {
			bad.Add("header", "must have the column "+name, nil)
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	var rows []Spend
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, bad.Err()
		}
		at := fmt.Sprintf("rows[%d]", len(rows))
		if err != nil {
			bad.Add(at, "must be a line of CSV: "+err.Error(), nil)
			return nil, bad
		}
		if len(rows) == maxSpendRows {
			bad.Add("rows", fmt.Sprintf("must be at most %d", maxSpendRows), nil)
			return nil, bad
		}
		cell := func(name string) string {
			if i, there := columns[name]; there {
				return strings.Clone(strings.TrimSpace(record[i]))
			}
			return ""
		}
		s := Spend{Day: cell("day"), Channel: cell("channel"), Campaign: cell("campaign"), Currency: cell("currency")}
		if s.Amount, err = strconv.ParseFloat(cell("amount"), 64); err != nil {
			bad.Add(at+".amount", "must be a number", problem.Clip(cell("amount")))
			s.Amount = 0
		}
		rows = append(rows, s)
	}
}

type spendRequest struct {
	Rows []Spend `json:"rows" minItems:"1" maxItems:"10000" nullable:"false"`
}

type spendAnswer struct {
	Written int `json:"written" doc:"Rows that were recorded; each took the place of an earlier one of the same day, channel, campaign and currency"`
}

// readSpend takes the rows of a request, JSON or CSV.
func readSpend(r *http.Request) ([]Spend, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "text/csv" {
		data, err := api.ReadBody(r, maxSpendBody)
		if err != nil {
			return nil, err
		}
		return parseCSV(data)
	}
	var body spendRequest
	if err := api.DecodeJSON(r, maxSpendBody, &body); err != nil {
		return nil, err
	}
	return body.Rows, nil
}

// RecordSpend records what marketing cost. A row takes the place of an earlier
// one of the same day, channel, campaign and currency, so that a file may be sent
// again, corrected or not.
func (s *Service) RecordSpend(ctx context.Context, rows []Spend, by string) error {
	if err := checkSpend(rows); err != nil {
		return err
	}
	batch, err := s.db.Write.PrepareBatch(ctx, "INSERT INTO marketing_spend (day, channel, campaign, currency, amount, recorded_at, recorded_by)")
	if err != nil {
		return fmt.Errorf("preparing an insert of marketing spend: %w", err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	at := s.now().UTC()
	for i := range rows {
		r := &rows[i]
		day, err := time.Parse(time.DateOnly, r.Day)
		if err != nil {
			return fmt.Errorf("reading a day that was checked: %w", err)
		}
		if err := batch.Append(day, r.Channel, r.Campaign, r.Currency, decimal.NewFromFloat(r.Amount), at, by); err != nil {
			return fmt.Errorf("adding marketing spend: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("inserting %d rows of marketing spend: %w", len(rows), err)
	}
	return nil
}

// SpendOn lists what was recorded for the days from from to to, at most limit rows.
func (s *Service) SpendOn(ctx context.Context, from, to time.Time, limit int) ([]Spend, error) {
	rows, err := s.db.Read.Query(ctx, `SELECT toString(day), channel, campaign, currency, toFloat64(amount) FROM marketing_spend FINAL
		WHERE day >= toDate(?) AND day <= toDate(?) ORDER BY day DESC, channel, campaign, currency LIMIT ?`, from.Format(time.DateOnly), to.Format(time.DateOnly), limit)
	if err != nil {
		return nil, fmt.Errorf("reading marketing spend: %w", err)
	}
	defer rows.Close()
	list := []Spend{}
	for rows.Next() {
		var r Spend
		if err := rows.Scan(&r.Day, &r.Channel, &r.Campaign, &r.Currency, &r.Amount); err != nil {
			return nil, fmt.Errorf("reading marketing spend: %w", err)
		}
		list = append(list, r)
	}
	return list, rows.Err()
}
