package api

import (
	"hash/maphash"

	"github.com/tidwall/gjson"
)

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
		default:
			hashContent(h, v)
		}
		return true
	})
}

// hashItem adds an item of a Responses input likewise. Of a message it is who speaks and
// what: clients take the others along in any order, or leave them out. A whole input that
// is text is the same as a user's one message, which it is in the next turn.
func hashItem(h *maphash.Hash, item gjson.Result) {
	role, kind := item.Get("role").Str, item.Get("type").Str
	if role == "" || kind != "" && kind != "message" {
		hashSaid(h, item.Raw)
		return
	}
	hashTurn(h, role, item.Get("content").Raw)
}

func hashTurn(h *maphash.Hash, role, content string) {
	h.WriteString(role)
	h.WriteByte(0)
	hashContent(h, content)
}

func hashContent(h *maphash.Hash, v string) {
	if v == "" || v[0] != '[' {
		hashText(h, v)
		return
	}
	eachElement(v, func(part string) bool {
		hashPart(h, part)
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
	if v != "" && v[0] == '"' {
		v = v[1 : len(v)-1]
	}
	h.WriteString(v)
}

func isCacheMark(name string) bool {
	return name == "cache_control" || name == "prompt_cache_breakpoint"
}
