//go:build !amd64

package vector

type form struct {
	name   string
	choose func() (back func())
}

func available() []form { return []form{{"go", func() func() { return func() {} }}} }
