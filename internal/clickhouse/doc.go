// Package clickhouse is Quintet's door to ClickHouse: the log of events,
// decisions and outcomes from which every figure is computed.
//
// There are two engines behind one door. [OpenExternal] speaks to a ClickHouse
// server or cluster. [OpenEmbedded] loads libchdb, the real engine as a shared
// library, into this process without cgo. Callers cannot tell them apart: both
// give a [Database] whose Read and Write are ordinary clickhouse-go
// connections, a database/sql handle and versioned migrations.
//
// The embedded engine is reached through an [net/http.RoundTripper]:
// clickhouse-go believes that it talks to ClickHouse's HTTP interface, and what
// it sends is run in the library. The same interface, served on a port by
// [Engine.Handler], lets notebooks and SQL tools query the embedded engine.
// Callers of that port who may only read are held by three fences: a lexer that
// passes on only statements it fully understands, readonly=1 in the engine, and
// limits on time, memory, rows and concurrency.
//
// One connection of libchdb runs one query at a time, so the engine keeps a
// bounded pool for reading and one connection that only inserts use: a report
// that runs for a minute never delays the sink.
package clickhouse
