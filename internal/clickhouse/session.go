package clickhouse

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unsafe"
)

// session is one connection to the embedded engine: it runs one query at a
// time and remembers its database and settings from query to query, which is
// why both are tracked here and set only when they differ.
type session struct {
	lib      *chdb
	conn     unsafe.Pointer
	database string
	settings map[string]string
	// stale is true when what the connection remembers is no longer known.
	stale bool
}

func openSession(lib *chdb, dir string) (*session, error) {
	conn, err := lib.open(dir)
	if err != nil {
		return nil, err
	}
	return &session{lib: lib, conn: conn, database: defaultDatabase, settings: map[string]string{}}, nil
}

// defaultDatabase is the one that every connection starts in.
const defaultDatabase = "default"

// prepared says whether database and settings are those of the session.
func (s *session) prepared(database string, settings map[string]string) bool {
	if database == "" {
		database = defaultDatabase
	}
	return database == s.database && maps.Equal(settings, s.settings)
}

// prepare makes database and settings those of the session.
func (s *session) prepare(database string, settings map[string]string) error {
	if database == "" {
		database = defaultDatabase
	}
	if database != s.database {
		if err := s.exec("USE " + quoteIdentifier(database)); err != nil {
			return err
		}
		s.database = database
	}
	var changes []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !settingName.MatchString(name) {
			return newException(codeUnknownSetting, "%q is not the name of a setting", name)
		}
		if old, ok := s.settings[name]; !ok || old != settings[name] {
			changes = append(changes, name+" = "+quoteString(settings[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		if _, ok := settings[name]; !ok {
			changes = append(changes, name+" = DEFAULT")
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if err := s.exec("SET " + strings.Join(changes, ", ")); err != nil {
		s.stale = true
		return err
	}
	s.settings = maps.Clone(settings)
	return nil
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// exec runs a statement whose output does not matter.
func (s *session) exec(sql string) error {
	r, err := s.lib.query(s.conn, sql, "Null", nil)
	if err != nil {
		return err
	}
	r.free()
	return nil
}

// run executes the statement with its database and settings in force. tag, a
// comment, goes before the text so that the query can be found and cancelled.
func (s *session) run(st *statement, tag string) (*answer, error) {
	if st.changesSession {
		s.stale = true
	}
	r, err := s.lib.query(s.conn, tag+st.sql, st.format, st.params)
	if err != nil {
		return nil, err
	}
	defer r.free()
	a := &answer{summary: r.summary()}
	if n := len(r.bytes()); st.maxResult > 0 && n > st.maxResult {
		// The engine's own limit counts a column of one repeated value once.
		return nil, newException(codeTooManyRows, "Limit for result exceeded, max bytes: %d, current bytes: %d", st.maxResult, n)
	}
	if st.revision > 0 && strings.EqualFold(st.outputFormat(), nativeFormat) {
		a.body, err = reframe(r.bytes(), st.revision)
	} else {
		a.body = slices.Clone(r.bytes())
	}
	if err != nil {
		return nil, fmt.Errorf("framing the result for the client: %w", err)
	}
	return a, nil
}

func (s *session) close() {
	if s.conn != nil {
		s.lib.close(s.conn)
		s.conn = nil
	}
}

// quoteIdentifier writes a name as ClickHouse reads it back.
func quoteIdentifier(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}

// quoteString writes a text as a literal.
func quoteString(text string) string {
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(text) + "'"
}
