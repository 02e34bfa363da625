// Package templates writes what a message says: in the language of the person, with
// values of the person, the offer and the items put in safely.
//
// A [Template] declares its variables; one that it uses and does not declare is refused
// when it is saved. HTML is rendered by html/template, which escapes by the place where
// a value stands; texts allow values, conditions and lists, and no functions.
package templates
