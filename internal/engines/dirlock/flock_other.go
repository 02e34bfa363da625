//go:build !unix

package dirlock

import (
	"errors"
	"os"
)

func flockFile(*os.File) error { return errors.ErrUnsupported }
