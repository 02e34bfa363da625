package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"quintet/recommend/content"
	"quintet/recommend/interactions"
)

// evaluatedCatalogue is what is known of the items of an evaluation.
type evaluatedCatalogue struct {
	likeness *content.Model           // nil without a file
	margin   func(item int32) float64 // nil without a column
}

// maxTextColumn is from how many bytes on a value is read as words.
const maxTextColumn = 60

// catalogue reads --items: every column but the item's and the margin's is an attribute,
// or a text when it is long. Items that nobody had are passed over.
func (ask *recommendEvaluation) catalogue(items *interactions.Vocabulary) (evaluatedCatalogue, error) {
	var out evaluatedCatalogue
	if ask.items == "" {
		if ask.margin != "" {
			return out, errors.New("--margin is a column of --items")
		}
		return out, nil
	}
	f, err := os.Open(ask.items)
	if err != nil {
		return out, fmt.Errorf("opening the items: %w", err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.ReuseRecord = true
	first, err := in.Read()
	if err != nil {
		return out, fmt.Errorf("%s: reading the header: %w", ask.items, err)
	}
	header := slices.Clone(first)
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	id, money := slices.Index(header, ask.itemID), slices.Index(header, ask.margin)
	if id < 0 {
		return out, fmt.Errorf("%s: there is no column %q (--item-id) in the header %q", ask.items, ask.itemID, header)
	}
	if ask.margin != "" && money < 0 {
		return out, fmt.Errorf("%s: there is no column %q (--margin) in the header %q", ask.items, ask.margin, header)
	}
	known, margins := make([]content.Item, items.Len()), make([]float64, items.Len())
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return out, fmt.Errorf("%s: %w", ask.items, err)
		}
		item := items.Number(fields[id])
		if item < 0 {
			continue
		}
		known[item] = content.Item{}
		for column, value := range fields {
			switch {
			case column == id || value == "":
			case column == money:
				if margins[item], err = strconv.ParseFloat(value, 64); err != nil || math.IsNaN(margins[item]) || math.IsInf(margins[item], 0) {
					line, _ := in.FieldPos(column)
					return out, fmt.Errorf("%s: line %d: margin %q is not a number", ask.items, line, value)
				}
			case len(value) > maxTextColumn:
				known[item].Text += " " + value
			default:
				known[item].Attributes = append(known[item].Attributes, header[column]+"="+value)
			}
		}
	}
	if out.likeness, err = content.New(known, content.Settings{Weighting: interactions.Weighting{Binary: ask.binary}}); err != nil {
		return out, fmt.Errorf("%s: %w", ask.items, err)
	}
	if money >= 0 {
		out.margin = func(item int32) float64 { return margins[item] }
	}
	return out, nil
}
