// Package notebooks holds Jupyter notebooks that read the log, and the test that
// runs their cells against a service with traffic.
package notebooks
