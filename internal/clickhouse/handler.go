package clickhouse

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// User is a caller of the HTTP interface.
type User struct {
	Name     string
	Password string
	// ReadOnly users may only read, within limits of time, memory and rows,
	// and only the Databases. Others are trusted like this service itself.
	ReadOnly bool
	// Databases that the user may read, the first one being where queries
	// start. For a user who may write it only is where they start.
	Databases []string
}

// Limits of the HTTP interface.
const (
	interfaceRequests   = 16               // running or reading their body
	interfaceReaders    = 4                // of those, for read-only users
	interfaceMaxBody    = maxInsertBytes   // bytes, after decompression
	interfaceMaxQuery   = 1 << 20          // bytes of a read-only user's statement
	interfaceTimeout    = 10 * time.Minute // of a request
	readerTimeout       = time.Minute      // of a read-only user's query
	readerMaxRows       = 2_000_000        // of a result
	readerMaxBytes      = 128 << 20        // of a result
	readerMaxMemory     = 1 << 30          // bytes of a query; it may ask for four times as much
	retryAfter          = "1"              // seconds, when all places are taken
	interfaceFirstQuery = "SELECT name FROM system.databases"
)

// Handler serves ClickHouse's HTTP interface for the embedded engine, for the
// given users and nobody else. It is meant for a loopback port.
func (e *Engine) Handler(users []User) (http.Handler, error) {
	if e.local == nil {
		return nil, errors.New("serving ClickHouse's HTTP interface: the engine is external; its own address serves it")
	}
	h := &handler{engine: e.local, requests: make(chan struct{}, interfaceRequests), readers: make(chan struct{}, interfaceReaders)}
	seen := map[string]bool{}
	for _, u := range users {
		switch {
		case u.Name == "" || len(u.Name) > 128:
			return nil, errors.New("serving ClickHouse's HTTP interface: a user's name must have 1 to 128 bytes")
		case seen[u.Name]:
			return nil, fmt.Errorf("serving ClickHouse's HTTP interface: user %s is there twice", u.Name)
		case len(u.Password) < 8:
			return nil, fmt.Errorf("serving ClickHouse's HTTP interface: the password of user %s must have at least 8 bytes", u.Name)
		case len(u.Databases) == 0:
			return nil, fmt.Errorf("serving ClickHouse's HTTP interface: user %s has no database", u.Name)
		}
		for _, name := range u.Databases {
			if err := checkDatabaseName(name); err != nil {
				return nil, fmt.Errorf("serving ClickHouse's HTTP interface: user %s: %w", u.Name, err)
			}
			if u.ReadOnly && name == defaultDatabase {
				// In libchdb a table of this database may be any file's path.
				return nil, fmt.Errorf("serving ClickHouse's HTTP interface: user %s: a read-only user must not have database %s", u.Name, name)
			}
		}
		seen[u.Name] = true
		h.accounts = append(h.accounts, account{User: u, name: sha256.Sum256([]byte(u.Name)), password: sha256.Sum256([]byte(u.Password))})
	}
	var err error
	if h.tableFunctions, err = e.local.tableFunctions(); err != nil {
		return nil, fmt.Errorf("serving ClickHouse's HTTP interface: %w", err)
	}
	return h, nil
}

// tableFunctions are the names, in lower case, of the engine's.
func (e *embedded) tableFunctions() (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	names, err := e.column(ctx, "SELECT lower(name) FROM system.table_functions")
	if err != nil {
		return nil, fmt.Errorf("listing table functions: %w", err)
	}
	return nameSet(names...), nil
}

// column runs a query of ours that gives one column of plain names.
func (e *embedded) column(ctx context.Context, sql string) ([]string, error) {
	a, err := e.readers.run(ctx, &statement{sql: sql, format: "TSVRaw"})
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(a.body), "\n"), "\n"), nil
}

type handler struct {
	engine         *embedded
	accounts       []account
	tableFunctions map[string]bool
	requests       chan struct{}
	readers        chan struct{}
}

// account is a user with digests that can be compared in constant time.
type account struct {
	User
	name, password [sha256.Size]byte
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-ClickHouse-Server-Display-Name", "quintet")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case r.URL.Path == "/ping" || r.URL.Path == "/replicas_status":
		writeText(w, http.StatusOK, "Ok.\n")
		return
	case r.URL.Path != "/" && r.URL.Path != "/query":
		writeText(w, http.StatusNotFound, "There is no handle "+r.URL.Path+"\n")
		return
	case r.Method != http.MethodGet && r.Method != http.MethodPost && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD, POST")
		writeText(w, http.StatusMethodNotAllowed, "Use GET or POST\n")
		return
	case r.Method != http.MethodPost && !r.URL.Query().Has("query"):
		writeText(w, http.StatusOK, "Ok.\n")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), interfaceTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	user, err := h.authenticate(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="ClickHouse HTTP interface"`)
		writeError(w, err)
		return
	}
	p, err := h.admit(user)
	if err != nil {
		w.Header().Set("Retry-After", retryAfter)
		writeError(w, err)
		return
	}
	defer p.done()
	// Not every ResponseWriter has deadlines; a server's has.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(interfaceTimeout))
	_ = control.SetWriteDeadline(time.Now().Add(2 * interfaceTimeout))
	r.Body = http.MaxBytesReader(w, r.Body, interfaceMaxBody)
	q, err := readRequest(r)
	if err != nil {
		writeError(w, err)
		return
	}
	a, err := h.run(r, q, user, p)
	if err != nil {
		writeError(w, err)
		return
	}
	writeAnswer(w, r, q, a)
}

// run prepares and executes the request in the name of the user.
func (h *handler) run(r *http.Request, q *request, user *User, p *place) (*answer, error) {
	ctx, st := r.Context(), &q.statement
	st.database = cmp.Or(st.database, user.Databases[0])
	body := &contextReader{ctx: ctx, r: q.body}
	if user.ReadOnly {
		return h.runReader(ctx, q, body, user, p)
	}
	if err := st.compile(q.query, body, h.engine.tempDir, interfaceMaxBody); err != nil {
		st.release()
		return nil, err
	}
	if r.Method != http.MethodPost {
		// As in ClickHouse: a GET changes nothing.
		st.settings["readonly"] = "2"
	}
	return h.engine.runAlone(ctx, st, h.engine.readers.base, p)
}

// runReader executes a statement of a read-only user.
func (h *handler) runReader(ctx context.Context, q *request, body io.Reader, user *User, p *place) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, readerTimeout)
	defer cancel()
	st := &q.statement
	text, err := io.ReadAll(io.LimitReader(body, interfaceMaxQuery+1))
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	sql := q.query + string(text)
	if len(sql) > interfaceMaxQuery {
		return nil, newException(codeSyntax, "the query is longer than %d bytes", interfaceMaxQuery)
	}
	existing, err := h.engine.column(ctx, interfaceFirstQuery)
	if err != nil {
		return nil, err
	}
	g := &guard{databases: map[string]bool{}, foreign: map[string]bool{defaultDatabase: true}, tableFunctions: h.tableFunctions}
	for _, name := range user.Databases {
		g.databases[name] = true
	}
	for _, name := range existing {
		if lower := strings.ToLower(name); !g.databases[name] && lower != "system" && lower != "information_schema" {
			g.foreign[name] = true
		}
	}
	if st.database == defaultDatabase {
		// Many tools ask for it unless told otherwise.
		st.database = user.Databases[0]
	}
	if !g.databases[st.database] {
		return nil, newException(codeAccessDenied, "database %s is not yours to read", st.database)
	}
	if st.settings, err = readerSettings(st.settings); err != nil {
		return nil, err
	}
	if sql, err = g.check(sql); err != nil {
		return nil, err
	}
	st.sql = sql
	if err := st.inspect(); err != nil {
		return nil, err
	}
	st.maxResult = readerMaxBytes
	return h.engine.runAlone(ctx, st, nil, p)
}

// runAlone executes the statement on a connection of its own, so that callers
// of the interface share no state with each other or with the service.
func (e *embedded) runAlone(ctx context.Context, st *statement, base map[string]string, p *place) (*answer, error) {
	if err := e.enter(); err != nil {
		st.release()
		return nil, err
	}
	s, err := openSession(e.lib, e.dir)
	if err != nil {
		st.release()
		e.leave()
		return nil, fmt.Errorf("opening a ClickHouse connection: %w", err)
	}
	p.hold()
	return e.execute(ctx, st, s, settingsWithin(ctx, base, st), func(s *session) {
		s.close()
		p.done()
	})
}

// place is one of the bounded number of requests that run side by side. It is
// given up when neither the caller nor the query needs it, as a query may go on
// for a moment after its caller has left.
type place struct {
	holders atomic.Int32
	taken   []chan struct{}
}

// admit takes a place for the user's request, or fails when all are taken.
func (h *handler) admit(user *User) (*place, error) {
	p := &place{}
	p.hold()
	limits := []chan struct{}{h.requests}
	if user.ReadOnly {
		limits = append(limits, h.readers)
	}
	for _, limit := range limits {
		select {
		case limit <- struct{}{}:
			p.taken = append(p.taken, limit)
		default:
			p.done()
			return nil, newException(codeTooManyQueries, "Too many simultaneous queries: all %d places are taken", cap(limit))
		}
	}
	return p, nil
}

func (p *place) hold() { p.holders.Add(1) }

func (p *place) done() {
	if p.holders.Add(-1) == 0 {
		for _, limit := range p.taken {
			<-limit
		}
	}
}

// authenticate finds the user by the credentials of the request: Basic
// authorisation, ClickHouse's headers or its URL parameters.
func (h *handler) authenticate(r *http.Request) (*User, error) {
	name, password, ok := r.BasicAuth()
	if !ok {
		values := r.URL.Query()
		name = cmp.Or(r.Header.Get("X-ClickHouse-User"), values.Get("user"))
		password = cmp.Or(r.Header.Get("X-ClickHouse-Key"), values.Get("password"))
	}
	nameSum, passwordSum := sha256.Sum256([]byte(name)), sha256.Sum256([]byte(password))
	var found *User
	for i := range h.accounts {
		a := &h.accounts[i]
		if subtle.ConstantTimeCompare(nameSum[:], a.name[:])&subtle.ConstantTimeCompare(passwordSum[:], a.password[:]) == 1 {
			found = &a.User
		}
	}
	if found == nil {
		return nil, newException(codeAuthentication, "Authentication failed: the password is incorrect, or there is no user with such name")
	}
	return found, nil
}
