package clickhouse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// ErrNoEmbeddedEngine says that this machine has no embedded ClickHouse, for
// its platform or because it is not installed.
var ErrNoEmbeddedEngine = errors.New("no embedded ClickHouse")

// enginePackages names the npm package of each platform that has an engine.
var enginePackages = map[string]string{
	"linux/amd64":  "lib-linux-x64-gnu",
	"linux/arm64":  "lib-linux-arm64-gnu",
	"darwin/amd64": "lib-darwin-x64",
	"darwin/arm64": "lib-darwin-arm64",
}

// LibraryPath finds libchdb for this platform under enginesDir, the folder
// whose node_modules holds the embedded engines. The error wraps
// [ErrNoEmbeddedEngine] and says what to do instead.
func LibraryPath(enginesDir string) (string, error) {
	return libraryPath(enginesDir, runtime.GOOS+"/"+runtime.GOARCH)
}

func libraryPath(enginesDir, platform string) (string, error) {
	name, ok := enginePackages[platform]
	if !ok {
		return "", fmt.Errorf("%w for %s: Linux x64 and arm64 (glibc) and macOS x64 and arm64 have one; set QUINTET_CLICKHOUSE_URL to the address of a ClickHouse server", ErrNoEmbeddedEngine, platform)
	}
	dir := filepath.Join(enginesDir, "node_modules", "@chdb", name)
	for _, file := range []string{"libchdb.so", "libchdb.dylib"} {
		path := filepath.Join(dir, file)
		switch info, err := os.Stat(path); {
		case err == nil && info.Mode().IsRegular():
			return filepath.Abs(path)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("looking for the embedded ClickHouse: %w", err)
		}
	}
	return "", fmt.Errorf("%w in %s: run `make engines`, or set QUINTET_CLICKHOUSE_URL to the address of a ClickHouse server", ErrNoEmbeddedEngine, dir)
}
