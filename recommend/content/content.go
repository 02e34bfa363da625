// Package content compares items by what they are: attributes, words of their texts,
// and embeddings where there are any. It knows a new item at once, before anybody had
// it.
package content

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"quintet/recommend/interactions"
	"quintet/recommend/modelfile"
	"quintet/recommend/scoring"
	"quintet/recommend/vector"
)

// Kind names the method.
const Kind = "content"

// Item is what is known of an item by itself.
type Item struct {
	// Attributes are values such as "brand=acme" or "category=shoes/boots", as they
	// are compared.
	Attributes []string
	// Text is what is said of it: name and description.
	Text string
	// Embedding is a vector from elsewhere, of the same length for all that have one.
	Embedding []float32
}

// Settings of the comparison. The weights are how much each part adds to the square of
// an item's vector.
type Settings struct {
	Attributes float64 `json:"attributes"` // 1
	Text       float64 `json:"text"`       // 1
	Embedding  float64 `json:"embedding"`  // 2
	// MaxTerms is how many different attributes and words are kept, the most frequent
	// of those that two items have (200,000), and MaxWords how many words of a text
	// are read (2,000).
	MaxTerms int `json:"maxTerms"`
	MaxWords int `json:"maxWords"`
	// Weighting makes the entries of a history.
	Weighting interactions.Weighting `json:"weighting"`
}

func (s Settings) withDefaults() Settings {
	if s.Attributes == 0 && s.Text == 0 && s.Embedding == 0 {
		s.Attributes, s.Text, s.Embedding = 1, 1, 2
	}
	if s.MaxTerms == 0 {
		s.MaxTerms = 200_000
	}
	if s.MaxWords == 0 {
		s.MaxWords = 2_000
	}
	return s
}

// Validate says what is wrong with settings.
func (s Settings) Validate() error {
	for _, w := range []float64{s.Attributes, s.Text, s.Embedding} {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("weights of content must be at least 0, got %v, %v and %v", s.Attributes, s.Text, s.Embedding)
		}
	}
	if s.MaxTerms < 0 || s.MaxWords < 0 {
		return fmt.Errorf("numbers of terms and words must be at least 0, got %d and %d", s.MaxTerms, s.MaxWords)
	}
	return s.Weighting.Validate()
}

// Model has a vector of length 1 for every item of which something is known. It does
// not change.
type Model struct {
	settings Settings
	terms    *interactions.Matrix // items by terms
	inverted *interactions.Matrix
	width    int // of an embedding, padded
	dense    []float32
	known    scoring.Set
}

var (
	_ scoring.Model     = (*Model)(nil)
	_ scoring.Similar   = (*Model)(nil)
	_ scoring.Explainer = (*Model)(nil)
)

// New compares items, numbered as they come. Words and attributes are weighted by
// (1 + ln tf) ln(N/df) (Salton and Buckley 1988), each part is brought to length 1,
// weighted, and the whole brought to length 1. Embeddings of different lengths, or with
// numbers that are not finite, are errors.
func New(items []Item, settings Settings) (*Model, error) {
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("settings of content: %w", err)
	}
	settings = settings.withDefaults()
	m := &Model{settings: settings, known: scoring.NewSet(len(items))}
	length := 0
	for i, item := range items {
		if len(item.Embedding) == 0 {
			continue
		}
		if length == 0 {
			length = len(item.Embedding)
		}
		if len(item.Embedding) != length {
			return nil, fmt.Errorf("the embedding of item %d has %d numbers, others %d", i, len(item.Embedding), length)
		}
	}
	m.width = vector.Pad(length)
	m.dense = make([]float32, len(items)*m.width)
	words := make([]map[string]float64, len(items))
	attributes := make([]map[string]float64, len(items))
	found := map[string]int{}
	for i, item := range items {
		words[i] = Words(item.Text, settings.MaxWords)
		attributes[i] = make(map[string]float64, len(item.Attributes))
		for _, a := range item.Attributes {
			attributes[i]["="+a] = 1 // a word never begins so
		}
		for _, part := range []map[string]float64{words[i], attributes[i]} {
			for term := range part {
				found[term]++
			}
		}
	}
	number := chosen(found, settings.MaxTerms)
	m.terms = &interactions.Matrix{Columns: len(number), Start: make([]int, len(items)+1)}
	for i, item := range items {
		if err := m.place(int32(i), item, words[i], attributes[i], number, found, len(items)); err != nil {
			return nil, err
		}
		m.terms.Start[i+1] = len(m.terms.Index)
	}
	m.inverted = m.terms.Transpose()
	return m, nil
}

// chosen numbers the most frequent terms that more than one item has: the others match
// nothing.
func chosen(found map[string]int, most int) map[string]int32 {
	var terms []string
	for term, n := range found {
		if n > 1 {
			terms = append(terms, term)
		}
	}
	slices.SortFunc(terms, func(a, b string) int { return cmp.Or(cmp.Compare(found[b], found[a]), cmp.Compare(a, b)) })
	out := make(map[string]int32)
	for i, term := range terms[:min(most, len(terms))] {
		out[term] = int32(i)
	}
	return out
}

// place writes the vector of an item.
func (m *Model) place(at int32, item Item, words, attributes map[string]float64, number map[string]int32, found map[string]int, items int) error {
	type entry struct {
		term  int32
		value float64
	}
	var entries []entry
	total := 0.0
	for _, part := range []struct {
		terms  map[string]float64
		weight float64
	}{{words, m.settings.Text}, {attributes, m.settings.Attributes}} {
		square, from := 0.0, len(entries)
		for term, n := range part.terms {
			if t, ok := number[term]; ok {
				if v := (1 + math.Log(n)) * math.Log(float64(items)/float64(found[term])); v > 0 {
					entries = append(entries, entry{t, v})
					square += v * v
				}
			}
		}
		if square == 0 || part.weight == 0 {
			entries = entries[:from]
			continue
		}
		for i := from; i < len(entries); i++ {
			entries[i].value *= math.Sqrt(part.weight / square)
		}
		total += part.weight
	}
	square := 0.0
	for _, v := range item.Embedding {
		square += float64(v) * float64(v)
	}
	if math.IsNaN(square) || math.IsInf(square, 0) {
		return fmt.Errorf("the embedding of item %d has a number that is not finite", at)
	}
	if square > 0 && m.settings.Embedding > 0 {
		total += m.settings.Embedding
	}
	if total == 0 {
		return nil
	}
	m.known.Add(at)
	if square > 0 && m.settings.Embedding > 0 {
		scale := math.Sqrt(m.settings.Embedding / square / total)
		for i, v := range item.Embedding {
			m.dense[int(at)*m.width+i] = float32(float64(v) * scale)
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.term, b.term) })
	for _, e := range entries {
		m.terms.Index = append(m.terms.Index, e.term)
		m.terms.Value = append(m.terms.Value, float32(e.value/math.Sqrt(total)))
	}
	return nil
}

// Words counts the words of a text: runs of letters and digits in lower case, of at
// least two characters, the first most of them.
func Words(text string, most int) map[string]float64 {
	out := make(map[string]float64)
	n := 0
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if n == most {
			break
		}
		if len(word) > 1 && len(word) <= 64 {
			out[strings.ToLower(word)]++
			n++
		}
	}
	return out
}

// Kind is "content".
func (m *Model) Kind() string { return Kind }

// Items is how many items there are.
func (m *Model) Items() int { return m.terms.Rows() }

func (m *Model) embedding(item int32) []float32 {
	return m.dense[int(item)*m.width : int(item+1)*m.width]
}

// Score compares every item with the sum of the vectors of the history.
func (m *Model) Score(history []interactions.Event, scores []float32) {
	m.score(m.settings.Weighting.Entries(history, m.Items()), scores)
}

func (m *Model) score(entries []interactions.Entry, scores []float32) {
	sum, dense := make(map[int32]float32), make([]float32, m.width)
	any := false
	for _, e := range entries {
		if !m.known.Has(e.Item) {
			continue
		}
		any = true
		vector.Axpy(e.Weight, m.embedding(e.Item), dense)
		terms, values := m.terms.Row(int(e.Item))
		for i, t := range terms {
			sum[t] += e.Weight * values[i]
		}
	}
	if m.width > 0 {
		vector.DotRows(dense, m.dense, scores)
	} else {
		clear(scores)
	}
	if any {
		terms := make([]int32, 0, len(sum))
		for t := range sum {
			terms = append(terms, t)
		}
		slices.Sort(terms) // so that sums round alike
		for _, t := range terms {
			items, values := m.inverted.Row(int(t))
			for i, item := range items {
				scores[item] += sum[t] * values[i]
			}
		}
	}
	for i := range scores {
		if !any || !m.known.Has(int32(i)) {
			scores[i] = float32(math.Inf(-1))
		}
	}
}

// Similar appends the items most like an item, by cosine.
func (m *Model) Similar(item int32, allowed scoring.Set, k int, dst []scoring.Scored) []scoring.Scored {
	if !m.known.Has(item) {
		return dst
	}
	scores := make([]float32, m.Items())
	m.score([]interactions.Entry{{Item: item, Weight: 1}}, scores)
	scores[item] = float32(math.Inf(-1))
	return scoring.TopK(scores, allowed, k, dst)
}

// Cosine is the likeness of two items, 0 when nothing is known of one.
func (m *Model) Cosine(a, b int32) float64 {
	if !m.known.Has(a) || !m.known.Has(b) {
		return 0
	}
	sum := 0.0
	x, v := m.terms.Row(int(a))
	y, w := m.terms.Row(int(b))
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] == y[j]:
			sum += float64(v[i]) * float64(w[j])
			i++
			j++
		case x[i] < y[j]:
			i++
		default:
			j++
		}
	}
	if m.width > 0 {
		sum += float64(vector.Dot(m.embedding(a), m.embedding(b)))
	}
	return sum
}

// Explain gives the items of the history that an item is most like.
func (m *Model) Explain(history []interactions.Event, item int32, n int) []scoring.Reason {
	return m.Explaining(history)(item, n)
}

// Explaining implements [scoring.ListExplainer].
func (m *Model) Explaining(history []interactions.Event) func(item int32, n int) []scoring.Reason {
	entries := m.settings.Weighting.Entries(history, m.Items())
	return func(item int32, n int) []scoring.Reason {
		return scoring.Reasons(entries, n, func(e interactions.Entry) float32 { return float32(float64(e.Weight) * m.Cosine(e.Item, item)) })
	}
}

// Encode gives the model as bytes.
func (m *Model) Encode() []byte {
	w := modelfile.NewWriter(Kind, struct {
		Settings
		Terms int `json:"terms"`
		Width int `json:"width"`
	}{m.settings, m.terms.Columns, m.width})
	w.Ints("start", m.terms.Start)
	w.Int32s("terms", m.terms.Index)
	w.Float32s("values", m.terms.Value)
	w.Float32s("dense", m.dense)
	known := make([]int, len(m.known))
	for i, word := range m.known {
		known[i] = int(word)
	}
	w.Ints("known", known)
	return w.Finish()
}

// Decode makes a model from what Encode gave.
func Decode(r *modelfile.Reader) (*Model, error) {
	var stored struct {
		Settings
		Terms int `json:"terms"`
		Width int `json:"width"`
	}
	r.Settings(&stored)
	m := &Model{settings: stored.Settings, width: stored.Width, terms: &interactions.Matrix{Columns: stored.Terms, Start: r.Ints("start", -1), Index: r.Int32s("terms", -1)}}
	items := m.terms.Rows()
	m.terms.Value = r.Float32s("values", len(m.terms.Index))
	m.dense = r.Float32s("dense", items*m.width)
	m.known = scoring.NewSet(items)
	for i, word := range r.Ints("known", len(m.known)) {
		m.known[i] = uint64(word)
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("reading content: %w", err)
	}
	if m.width < 0 || m.width%vector.Lane != 0 || len(m.terms.Start) == 0 || m.terms.Start[0] != 0 || !slices.IsSorted(m.terms.Start) || m.terms.Start[items] != len(m.terms.Index) {
		return nil, fmt.Errorf("reading content: %w: its rows do not fit", modelfile.ErrDamaged)
	}
	for _, t := range m.terms.Index {
		if t < 0 || int(t) >= stored.Terms {
			return nil, fmt.Errorf("reading content: %w: term %d of %d", modelfile.ErrDamaged, t, stored.Terms)
		}
	}
	m.inverted = m.terms.Transpose()
	return m, nil
}
