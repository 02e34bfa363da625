package clickhouse

import (
	"slices"
	"strings"
)

// guard decides whether a statement of a caller who may only read is passed on
// to the engine. It goes by tokens, not by patterns in the text, and what it
// passes on is written anew from the tokens that it saw: comments, and with
// them any doubt where one ends, do not reach the engine.
//
// readonly=1 alone is not enough, as tried on the engine: SETTINGS inside a
// subquery lifts it, and the function file(), KILL and INTO OUTFILE work in
// spite of it.
type guard struct {
	// databases are those that the caller may read.
	databases map[string]bool
	// foreign are the other databases that exist, ClickHouse's own excepted.
	foreign map[string]bool
	// tableFunctions are the engine's, in lower case. Only those also listed
	// in readableTableFunctions may be called.
	tableFunctions map[string]bool
}

// Words that may begin a statement of a reader.
var readingWords = []string{"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS"}

// What a reader may SHOW. Users, grants and other callers' queries are not
// among them.
var showable = []string{
	"TABLES", "DATABASES", "COLUMNS", "FIELDS", "CREATE", "INDEX", "INDEXES", "INDICES", "KEYS",
	"FUNCTIONS", "SETTINGS", "CHANGED", "ENGINES", "FULL", "EXTENDED", "TABLE", "VIEW", "DATABASE",
}

// readableTableFunctions make their rows from their arguments alone. format is
// also a function of texts; as a table function the engine refuses it itself.
var readableTableFunctions = nameSet(
	"numbers", "numbers_mt", "zeros", "zeros_mt", "generateSeries", "generate_series", "primes",
	"values", "view", "format", "generateRandom",
)

// readableSystemTables describe the engine and the schema, not what others do
// with it. SQL tools read them to offer completion.
var readableSystemTables = nameSet(
	"one", "numbers", "numbers_mt", "zeros", "zeros_mt", "databases", "tables", "columns",
	"functions", "table_functions", "table_engines", "data_type_families", "formats", "collations",
	"aggregate_function_combinators", "keywords", "completions", "time_zones", "settings",
	"build_options", "contributors", "licenses", "parts", "parts_columns", "projections",
	"data_skipping_indices", "merge_tree_settings", "codecs", "database_engines",
)

// forbiddenFunctions reach outside the query's tables: files, dictionaries
// with sources of their own, models, other tables by name, the network, the
// engine's certificates and internals. They are refused as identifiers wherever
// they stand, as a function may be given by name alone: arrayMap(file, ...).
var forbiddenFunctions = nameSet(
	"file", "joinGet", "joinGetOrNull", "hasColumnInTable", "showCertificate", "getClientHTTPHeader",
	"getServerSetting", "getMacro", "generateSerialID", "reverseDNSQuery", "getScalar", "fuzzQuery",
	"addressToLine", "addressToLineWithInlines", "addressToSymbol", "demangle", "logTrace", "tid",
	"mergeTreePartInfo", "isMergeTreePartCoveredBy",
	"catboostEvaluate", "evalMLMethod", "naiveBayesClassifier",
	"aiClassify", "aiExtract", "aiGenerate", "aiTranslate", "aiEmbed",
)

// forbiddenPrefixes begin the names of whole families of such functions.
var forbiddenPrefixes = []string{"dictget", "dicthas", "dictis", "__"}

func nameSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[strings.ToLower(name)] = true
	}
	return set
}

// maxReaderTokens bounds a reader's statement.
const maxReaderTokens = 50_000

// check returns the statement as it may be run, or the error that refuses it.
func (g *guard) check(sql string) (string, error) {
	if strings.IndexByte(sql, 0) >= 0 {
		return "", refuse("the statement has a zero byte in it")
	}
	tokens, err := tokenize(sql, maxReaderTokens)
	if err != nil {
		return "", newException(codeSyntax, "%v", err)
	}
	for len(tokens) > 0 && tokens[len(tokens)-1].symbol(';') {
		tokens = tokens[:len(tokens)-1]
	}
	if err := g.checkStart(tokens); err != nil {
		return "", err
	}
	c := checker{guard: g, tokens: tokens, schema: !firstWord(tokens).is("SELECT") && !firstWord(tokens).is("WITH")}
	for i := range tokens {
		if err := c.token(i); err != nil {
			return "", err
		}
	}
	return render(tokens), nil
}

func refuse(format string, args ...any) error {
	return newException(codeReadonly, "Refused for a read-only user: "+format, args...)
}

// firstWord skips the brackets that a statement may begin with.
func firstWord(tokens []token) token {
	for _, t := range tokens {
		if !t.symbol('(') {
			return t
		}
	}
	return token{}
}

func (g *guard) checkStart(tokens []token) error {
	if len(tokens) == 0 {
		return newException(codeSyntax, "Empty query")
	}
	begin := firstWord(tokens)
	if !slices.ContainsFunc(readingWords, begin.is) {
		return refuse("a statement must begin with one of %s", strings.Join(readingWords, ", "))
	}
	if begin.is("SHOW") && (len(tokens) < 2 || !slices.ContainsFunc(showable, tokens[1].is)) {
		return refuse("SHOW must be followed by one of %s", strings.Join(showable, ", "))
	}
	return nil
}

// checker goes over the tokens of one statement.
type checker struct {
	*guard
	tokens []token
	// schema is true for SHOW, DESCRIBE, EXISTS and EXPLAIN, where a database
	// may be named without a dot after it.
	schema bool
}

// at returns the token at an index; outside the statement an empty one.
func (c *checker) at(i int) token {
	if i < 0 || i >= len(c.tokens) {
		return token{kind: symbolToken, text: " "}
	}
	return c.tokens[i]
}

func (c *checker) token(i int) error {
	t := c.tokens[i]
	switch t.kind {
	case symbolToken:
		if t.symbol(';') {
			return refuse("only one statement at a time")
		}
		if t.symbol('@') {
			return refuse("@ is not allowed")
		}
		return nil
	case wordToken:
		if err := c.keyword(i); err != nil {
			return err
		}
	case quotedToken:
		if strings.IndexByte(t.text, '\\') >= 0 {
			return refuse("a quoted name must not have a backslash in it")
		}
	default:
		return nil
	}
	name, _ := t.identifier()
	return c.name(i, name)
}

// keyword refuses words that are dangerous as part of the grammar. A column
// that is called like one of them can be quoted.
func (c *checker) keyword(i int) error {
	t := c.tokens[i]
	switch {
	case t.is("SETTINGS"):
		previous := c.at(i - 1)
		if i == 1 && previous.is("SHOW") || i == 2 && previous.is("CHANGED") {
			return nil
		}
		if previous.symbol('.') && !t.apart && !previous.apart && isSystem(c.at(i-2)) {
			return nil
		}
		return refuse("SETTINGS is not allowed (quote it when it is a name)")
	case t.is("INSERT"), t.is("INTO"), t.is("OUTFILE"), t.is("INFILE"):
		return refuse("%s is not allowed (quote it when it is a name)", strings.ToUpper(t.text))
	case t.is("PARALLEL") && c.at(i+1).is("WITH"):
		return refuse("PARALLEL WITH is not allowed")
	case t.is("APPLY") && c.at(i+1).kind == stringToken:
		return refuse("APPLY of a text is not allowed")
	case t.is("Identifier") && c.insideBraces(i):
		return refuse("a parameter must not be an Identifier")
	}
	return nil
}

// insideBraces reports whether the token stands in a {name:Type} parameter.
func (c *checker) insideBraces(i int) bool {
	for i--; i >= 0; i-- {
		switch t := c.tokens[i]; {
		case t.symbol('{'):
			return true
		case t.symbol('}'):
			return false
		}
	}
	return false
}

func isSystem(t token) bool {
	name, ok := t.identifier()
	return ok && strings.EqualFold(name, "system")
}

// name refuses functions, databases and tables out of the reader's reach.
func (c *checker) name(i int, name string) error {
	lower := strings.ToLower(name)
	called := c.at(i + 1).symbol('(')
	qualified := c.at(i - 1).symbol('.')
	if forbiddenFunction(lower) && (called || !qualified) {
		return refuse("%s is not allowed", name)
	}
	if called && c.tableFunctions[lower] && !readableTableFunctions[lower] {
		return refuse("table function %s is not allowed", name)
	}
	if qualifies := c.at(i + 1).symbol('.'); !qualifies {
		if c.schema && !qualified && c.foreign[name] {
			return refuse("database %s is not yours to read", name)
		}
		return nil
	}
	switch {
	case c.foreign[name] && !c.databases[name]:
		return refuse("database %s is not yours to read", name)
	case lower == "system":
		table, ok := c.at(i + 2).identifier()
		if !ok || !readableSystemTables[strings.ToLower(table)] {
			return refuse("system.%s is not yours to read", c.at(i+2).text)
		}
	}
	return nil
}

func forbiddenFunction(lower string) bool {
	return forbiddenFunctions[lower] || slices.ContainsFunc(forbiddenPrefixes, func(prefix string) bool {
		return strings.HasPrefix(lower, prefix)
	})
}
