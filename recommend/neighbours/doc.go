// Package neighbours recommends by likeness: of items that the same people had (by
// cosine, BM25 or lift, with shrinkage), and of people who had the same items. It
// explains itself, needs no training to speak of, and carries what is new or rare
// where factors know nothing yet.
//
// Query is the same computation as a query of ClickHouse, for logs that do not fit into
// memory.
package neighbours
