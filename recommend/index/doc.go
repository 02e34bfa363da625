// Package index finds the rows of a matrix of factors that have the largest inner
// product with a vector: Scan exactly, Lists nearly, past a million rows.
package index
