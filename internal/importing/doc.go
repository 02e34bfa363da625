// Package importing brings files into the service through its own HTTP API, the
// way a customer's service would.
//
// A file is a list of rows, CSV or NDJSON. A [Mapping] says which message or item
// each row becomes. A [Job] on the server remembers how far a file got, by the
// hashes of file and mapping, so that an import that was cut off goes on where it
// stopped. What a row becomes, ids included, depends on the row alone:
// sending it twice stores it once. Rows that break a rule are written into a
// file with their line and the reason, and the rest goes on.
//
// [Hillstrom] is an importer for one public data set, which has randomised
// decisions and their outcomes beside its customers.
package importing
