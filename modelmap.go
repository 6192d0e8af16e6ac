package gateway

import "strings"

// MapModel is the name that is used for one that a client asked, after each map in
// turn: its key's, its team's, the configuration's. A map has at most one say. In a map
// the whole name counts before patterns, which end with *, and of patterns the longest;
// the words that stand for every model ("", auto, default) are only ever matched whole.
func MapModel(asked string, maps ...map[string]string) string {
	for _, m := range maps {
		if to, ok := mapped(asked, m); ok {
			asked = to
		}
	}
	return asked
}

func mapped(asked string, m map[string]string) (string, bool) {
	if len(m) == 0 {
		return "", false
	}
	if to, ok := m[asked]; ok {
		return to, true
	}
	if asked == "" || asked == "auto" || asked == "default" {
		return "", false
	}
	best, found := "", false
	for pattern := range m {
		prefix, open := strings.CutSuffix(pattern, "*")
		if open && strings.HasPrefix(asked, prefix) && (!found || len(pattern) > len(best)) {
			best, found = pattern, true
		}
	}
	return m[best], found
}
