package clickhouse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// serverConfig is read by the library at its start. It shares the processors with
// the service that answers requests, so merges get one of two of them and not the
// sixteen threads that a server of its own would take. An administrator may
// change the file; it is written only where there is none.
const serverConfig = `<clickhouse>
  <background_pool_size>%d</background_pool_size>
  <background_merges_mutations_concurrency_ratio>1</background_merges_mutations_concurrency_ratio>
  <background_move_pool_size>1</background_move_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
</clickhouse>
`

func writeServerConfig(dir string) error {
	path := filepath.Join(dir, "config.xml")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	content := fmt.Sprintf(serverConfig, max(1, runtime.NumCPU()/2))
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return fmt.Errorf("writing the engine's configuration: %w", err)
	}
	return nil
}
