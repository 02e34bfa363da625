package engines

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"quintet/internal/clickhouse"
)

// readerFile holds the SQL user of the embedded ClickHouse's HTTP interface, in
// a form that a shell can read.
const readerFile = "clickhouse-reader.env"

const (
	readerName     = "reader"
	userVariable   = "QUINTET_SQL_USER="
	secretVariable = "QUINTET_SQL_PASSWORD="
)

// Reader is the user who may read the log over SQL, and the file that holds the
// generated password. It is created at the first call.
func (e *Engines) Reader() (user clickhouse.User, file string, err error) {
	file = filepath.Join(e.dataDir, readerFile)
	user = clickhouse.User{Name: readerName, ReadOnly: true, Databases: []string{e.ClickHouse.Name}}
	content, err := os.ReadFile(file)
	switch {
	case err == nil:
		for line := range strings.Lines(string(content)) {
			if secret, ok := strings.CutPrefix(strings.TrimSpace(line), secretVariable); ok {
				user.Password = secret
			}
		}
		if user.Password == "" {
			return user, file, fmt.Errorf("%s has no line %s…: remove the file to get a new one", file, secretVariable)
		}
		return user, file, nil
	case !errors.Is(err, fs.ErrNotExist):
		return user, file, fmt.Errorf("reading the SQL user: %w", err)
	}
	user.Password = rand.Text()
	body := userVariable + user.Name + "\n" + secretVariable + user.Password + "\n"
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		return user, file, fmt.Errorf("keeping the SQL user: %w", err)
	}
	return user, file, nil
}
