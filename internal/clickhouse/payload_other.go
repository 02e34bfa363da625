//go:build !linux

package clickhouse

func createPayload(dir string) (*payload, error) { return temporaryPayload(dir) }

// path is where this process can open the payload.
func (p *payload) path() string { return p.name }
