package api

import "hash/maphash"

// hashSaid adds a message to the hash of what a conversation begins with. Marks for caches
// are left out, and text is the same alone and as the only part: clients move the marks
// on with each turn, and a message with a mark must be a list of parts.
func hashSaid(h *maphash.Hash, message string) {
	eachMember(message, func(name, v string) bool {
		switch {
		case isCacheMark(name):
		case name != "content":
			h.WriteString(name)
			h.WriteString(v)
		case v[0] == '[':
			eachElement(v, func(part string) bool {
				hashPart(h, part)
				return true
			})
		default:
			hashText(h, v)
		}
		return true
	})
}

func hashPart(h *maphash.Hash, part string) {
	if part[0] != '{' {
		h.WriteString(part)
		return
	}
	eachMember(part, func(name, v string) bool {
		if name != "type" && !isCacheMark(name) {
			hashText(h, v)
		}
		return true
	})
}

func hashText(h *maphash.Hash, v string) {
	if v[0] == '"' {
		v = v[1 : len(v)-1]
	}
	h.WriteString(v)
}

func isCacheMark(name string) bool {
	return name == "cache_control" || name == "prompt_cache_breakpoint"
}
