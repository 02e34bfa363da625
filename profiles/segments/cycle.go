package segments

import "strings"

// Cycle finds the way on which a segment that refers to another would refer to
// itself: "vip → spenders → vip", "" when it does not. references tells the
// segments that a segment refers to.
func Cycle(key, other string, references func(key string) []string) string {
	done := map[string]bool{}
	var way []string
	var visit func(at string) bool
	visit = func(at string) bool {
		if at == key {
			return true
		}
		if done[at] {
			return false
		}
		done[at] = true
		way = append(way, at)
		for _, next := range references(at) {
			if visit(next) {
				return true
			}
		}
		way = way[:len(way)-1]
		return false
	}
	if !visit(other) {
		return ""
	}
	return strings.Join(append(append([]string{key}, way...), key), " → ")
}
