package growthbook

import (
	"maps"
	"strconv"
)

// StickyKey is the key of a document: "attribute||value".
func StickyKey(attribute, value string) string { return attribute + "||" + value }

// Own are the documents of the context's own attributes, of those that experiments
// assign by. Others are somebody else's.
func (f *Features) Own(c *Context, documents map[string]*StickyDocument) map[string]*StickyDocument {
	own := make(map[string]*StickyDocument)
	for name := range f.sticky {
		if _, value := c.hashAttribute(name, ""); value != "" {
			if d := documents[StickyKey(name, stickyText(value))]; d != nil {
				own[StickyKey(name, stickyText(value))] = d
			}
		}
	}
	return own
}

// stickyVersion is the key of an assignment: "experiment__version".
func stickyVersion(experiment string, version int) string {
	return experiment + "__" + strconv.Itoa(version)
}

// sticks says whether assignments of an experiment are kept.
func (c *Context) sticks(e *Experiment) bool { return c.Sticky != nil && !e.DisableStickyBucketing }

// fallback is the attribute for contexts without the usual one: only what is kept may
// move from one attribute to another.
func (c *Context) fallback(e *Experiment) string {
	if !c.sticks(e) {
		return ""
	}
	return e.FallbackAttribute
}

// maxBucketVersion bounds the versions that are looked for.
const maxBucketVersion = 1000

// kept is the variation that the context has from before, −1 without one; blocked when
// it has one of a version that takes no part any more.
func (c *Context) kept(e *Experiment) (variation int, blocked bool) {
	assignments := c.assignments(e)
	if e.MinBucketVersion != nil {
		for version := range min(*e.MinBucketVersion, maxBucketVersion) {
			if _, ok := assignments[stickyVersion(e.Key, version)]; ok {
				return -1, true
			}
		}
	}
	version := 0
	if e.BucketVersion != nil {
		version = *e.BucketVersion
	}
	key, ok := assignments[stickyVersion(e.Key, version)]
	if !ok {
		return -1, false
	}
	for i := range e.Meta {
		if e.Meta[i].Key == key {
			return i, false
		}
	}
	return -1, false
}

// assignments are what is kept for the context, of the hash attribute before the
// other one.
func (c *Context) assignments(e *Experiment) map[string]string {
	name, value := c.hashAttribute(e.HashAttribute, "")
	own := c.Sticky[StickyKey(name, stickyText(value))]
	var other *StickyDocument
	if e.FallbackAttribute != "" {
		if name, value := c.hashAttribute(e.FallbackAttribute, ""); value != "" {
			other = c.Sticky[StickyKey(name, stickyText(value))]
		}
	}
	switch {
	case other == nil && own == nil:
		return nil
	case other == nil:
		return own.Assignments
	case own == nil:
		return other.Assignments
	}
	all := maps.Clone(other.Assignments)
	if all == nil {
		all = make(map[string]string, len(own.Assignments))
	}
	maps.Copy(all, own.Assignments)
	return all
}

// keep adds an assignment to the context's documents, in a copy of the one that is
// there.
func (c *Context) keep(e *Experiment, r *ExperimentResult) {
	version := 0
	if e.BucketVersion != nil {
		version = *e.BucketVersion
	}
	value := stickyText(r.HashValue)
	key, assignment := StickyKey(r.HashAttribute, value), stickyVersion(e.Key, version)
	was := c.Sticky[key]
	if was != nil && was.Assignments[assignment] == r.Key {
		return
	}
	next := &StickyDocument{AttributeName: r.HashAttribute, AttributeValue: value, Assignments: map[string]string{}}
	if was != nil {
		maps.Copy(next.Assignments, was.Assignments)
	}
	next.Assignments[assignment] = r.Key
	c.Sticky[key] = next
}
