package clickhouse

import (
	"fmt"
	"io"
	"strings"
)

// statement is one thing to do for the embedded engine.
type statement struct {
	sql      string
	data     *payload          // rows of an INSERT, read by FROM INFILE
	database string            // "" for the default one
	settings map[string]string // in force for this statement only
	params   map[string]string // values of {name:Type}, escaped as in TSV
	format   string            // of the output, when the text names none
	revision uint64            // framing of Native output; 0 is the plain one
	named    string            // output format named by the text itself

	maxResult int // bytes of the result; 0 for no limit of ours

	// changesSession is true for statements that leave something behind on
	// the connection: SET, USE, temporary tables.
	changesSession bool
}

// answer is the outcome of a statement.
type answer struct {
	body    []byte
	summary summary
}

// summary counts what a statement read and wrote.
type summary struct {
	readRows, readBytes       uint64
	writtenRows, writtenBytes uint64
}

// Bounds on the text of a statement. An INSERT's rows do not count.
const (
	maxStatementBytes = 8 << 20
	maxInsertHead     = 256 << 10
	maxTokens         = 1 << 20
)

// outputFormat is the format in which the result comes.
func (st *statement) outputFormat() string {
	if st.named != "" {
		return st.named
	}
	return st.format
}

// release frees what the statement holds outside Go's memory.
func (st *statement) release() {
	if st.data != nil {
		_ = st.data.close() // a temporary file
		st.data = nil
	}
}

// compile fills the statement's text from the query and the data that came
// with it. An INSERT with rows is pointed at a file that holds them, as the
// library cuts rows that stand in the text at about 1 MiB; any other data
// continues the text, as in ClickHouse's HTTP interface.
func (st *statement) compile(query string, data io.Reader, dir string, maxData int64) error {
	head := []byte(query)
	if len(head) > maxStatementBytes {
		return newException(codeSyntax, "the query is longer than %d bytes", maxStatementBytes)
	}
	// Data in a format with its own framing follows the query without a gap;
	// only the part of the body that may still be text is looked at.
	var peeked []byte
	if query == "" {
		var err error
		if peeked, err = io.ReadAll(io.LimitReader(data, maxInsertHead)); err != nil {
			return fmt.Errorf("reading the request: %w", err)
		}
		head = append(head, peeked...)
	}
	insert, found, err := findInsert(string(head))
	if err != nil {
		return err
	}
	if found {
		rest := io.MultiReader(strings.NewReader(string(head[insert.dataAt:])), data)
		if st.data, err = newPayload(rest, dir, maxData); err != nil {
			return err
		}
		st.sql = insert.before + " FROM INFILE " + quoteString(st.data.path()) + " COMPRESSION 'none' " + insert.after
		return nil
	}
	more, err := io.ReadAll(io.LimitReader(data, int64(maxStatementBytes-len(head)+1)))
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	if len(head)+len(more) > maxStatementBytes {
		return newException(codeSyntax, "the query is longer than %d bytes", maxStatementBytes)
	}
	st.sql = string(head) + string(more)
	return st.inspect()
}

// inspect looks at a statement without rows: one at a time, no files of the
// machine, and which output format it names.
func (st *statement) inspect() error {
	tokens, err := tokenize(st.sql, maxTokens)
	if err != nil {
		// The lexer is stricter than ClickHouse; the engine will judge.
		return nil
	}
	for len(tokens) > 0 && tokens[len(tokens)-1].symbol(';') {
		tokens = tokens[:len(tokens)-1]
		st.sql = st.sql[:tokensEnd(tokens)]
	}
	if len(tokens) == 0 {
		return newException(codeSyntax, "Empty query")
	}
	for i, t := range tokens {
		switch {
		case t.symbol(';'):
			return newException(codeSyntax, "Multi-statements are not allowed")
		case t.is("INTO") && i+1 < len(tokens) && tokens[i+1].is("OUTFILE"):
			return newException(codeSyntax, "INTO OUTFILE is not allowed")
		case t.is("FORMAT") && i+1 < len(tokens) && tokens[i+1].kind == wordToken:
			st.named = tokens[i+1].text
		}
	}
	switch first := tokens[0]; {
	case first.is("SET"), first.is("USE"), first.is("CREATE"), first.is("ATTACH"), first.is("BEGIN"):
		st.changesSession = true
	}
	return nil
}

func tokensEnd(tokens []token) int {
	if len(tokens) == 0 {
		return 0
	}
	return tokens[len(tokens)-1].end
}

// insertText is an INSERT with rows, cut where FROM INFILE belongs.
type insertText struct {
	before, after string
	dataAt        int // offset of the first byte of the rows
}

// findInsert recognises an INSERT whose rows follow its text: `FORMAT x` or
// `VALUES`. Everything else, INSERT SELECT too, is not found.
func findInsert(text string) (insertText, bool, error) {
	l := lexer{text: text}
	first, ok, err := l.next()
	if err != nil || !ok || !first.is("INSERT") {
		return insertText{}, false, nil
	}
	depth, names, cut := 0, 0, -1
	for {
		t, ok, err := l.next()
		if err != nil || !ok {
			return insertText{}, false, nil
		}
		switch {
		case t.symbol('('):
			depth++
		case t.symbol(')'):
			depth--
		case depth > 0:
		case t.is("INTO"), t.is("TABLE"), t.is("FUNCTION"):
		case names == 0:
			// The first name is the table, whatever it is called.
			names++
		case t.is("SELECT"), t.is("WITH"), t.is("WATCH"):
			return insertText{}, false, nil
		case t.is("INFILE"):
			return insertText{}, false, newException(codeSyntax, "FROM INFILE is not allowed")
		case t.is("SETTINGS"):
			if cut < 0 {
				cut = t.start
			}
		case t.is("VALUES"):
			if cut < 0 {
				cut = t.start
			}
			return insertText{before: text[:cut], after: text[cut:t.start] + " FORMAT Values", dataAt: t.end}, true, nil
		case t.is("FORMAT"):
			if cut < 0 {
				cut = t.start
			}
			name, ok, err := l.next()
			if err != nil || !ok || name.kind != wordToken {
				return insertText{}, false, nil
			}
			at := l.pos
			for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == ';') {
				at++
			}
			if at < len(text) && text[at] == '\r' {
				at++
			}
			if at < len(text) && text[at] == '\n' {
				at++
			}
			return insertText{before: text[:cut], after: text[cut:t.start] + " FORMAT " + name.text, dataAt: at}, true, nil
		}
	}
}
