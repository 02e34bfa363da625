//go:build !unix

package dirlock

import (
	"errors"
	"os"
)

// flockFile refuses: there are no embedded engines for this system to protect.
func flockFile(*os.File) error {
	return errors.New("embedded engines need Linux or macOS: set QUINTET_POSTGRES_URL, QUINTET_CLICKHOUSE_URL and QUINTET_NATS_URL to servers")
}
