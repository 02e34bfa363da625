// Package config is the one configuration of the service and its commands.
//
// A setting comes from, in this order: its flag, its environment variable
// (QUINTET_ and the setting's name in capitals), the file quintet.yaml (or the
// one that QUINTET_CONFIG names), its default.
package config

import (
	"strings"
	"time"
)

// Config holds every setting. What growth teams change at run time (shares,
// weights, caps) is data in the service, not configuration.
type Config struct {
	Listen             string        // address of the API and the console
	PublicURL          string        // address that people use, when a proxy stands in front
	DataDir            string        // everything that embedded engines keep
	EnginesDir         string        // npm folder of the embedded engines' binaries
	PostgresURL        string        // external Postgres; embedded when empty
	ClickHouseURL      string        // external ClickHouse; embedded when empty
	ClickHouseDatabase string        // database of the log
	ClickHouseListen   string        // address of the embedded ClickHouse's HTTP interface; off when empty
	NATSURL            string        // external NATS; embedded when empty
	StreamMaxBytes     int64         // most bytes that each stream topic keeps before callers get 429
	StreamSync         bool          // flush every record to disk before answering: survives a power cut, not only a crash
	StreamReplicas     int           // copies of the stream in an external NATS cluster
	LogLevel           string        // debug, info, warn, error
	LogFormat          string        // text, json
	ShutdownTimeout    time.Duration // time to finish requests and store what was acknowledged
	BodyLimit          int64         // most bytes of a request body
	DuplicateMemory    int64         // most bytes that the message ids of the last seven days take in memory
	DecideTimeout      time.Duration // after which a decision falls back to its default action

	rows []Row
}

// Row is one setting as "quintet doctor" prints it.
type Row struct {
	Key    string // name of the setting, and of its flag
	Env    string // its environment variable
	Value  string // secrets are hidden
	Source string // flag, environment, the file's path, or default
}

// Rows lists every setting in a fixed order, with secrets hidden.
func (c Config) Rows() []Row { return c.rows }

// String is Rows in one line, so that a printed configuration shows no secret either.
func (c Config) String() string {
	var b strings.Builder
	for i, row := range c.rows {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(row.Key + "=" + row.Value)
	}
	return b.String()
}

// GoString is String, for %#v.
func (c Config) GoString() string { return c.String() }
