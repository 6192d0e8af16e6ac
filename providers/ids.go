package providers

import (
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"strconv"
	"strings"
)

// fitToolID makes a tool call id that a provider takes: at most max characters, of
// letters and digits (alnumOnly: exactly max of them) or also _ and -. An id that
// fits is kept. The result depends on nothing but the ids of this request: taken maps
// each id given out to the one it stands for, and is filled here.
func fitToolID(id string, max int, alnumOnly bool, taken map[string]string) string {
	fits, known := fitsToolID(id, max, alnumOnly), ""
	if owner, used := taken[id]; !fits || used && owner != id {
		// The search is made once for an id: the others of a request can be chosen such
		// that it is long.
		known = foundFor + id
		if found, ok := taken[known]; ok {
			return found
		}
	}
	out := id
	for n := 0; ; n++ {
		if n > 0 || !fits {
			seed := id
			if n > 0 {
				seed += "#" + strconv.Itoa(n)
			}
			out = hashedID(seed, max)
		}
		if owner, used := taken[out]; !used || owner == id {
			break
		}
	}
	if taken != nil {
		taken[out] = id
		if known != "" {
			taken[known] = out
		}
	}
	return out
}

// foundFor begins the keys of what was found for an id; no id that fits begins so.
const foundFor = "\x00"

func fitsToolID(id string, max int, alnumOnly bool) bool {
	if id == "" || len(id) > max || alnumOnly && len(id) != max {
		return false
	}
	for _, c := range []byte(id) {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && (alnumOnly || c != '_' && c != '-') {
			return false
		}
	}
	return true
}

func hashedID(seed string, max int) string {
	sum := sha256.Sum256([]byte(seed))
	text := new(big.Int).SetBytes(sum[:]).Text(62)
	if len(text) < max {
		return text + strings.Repeat("0", min(max, 40)-min(len(text), 40))
	}
	return text[:max]
}

// newToolCallID makes an id for a call that the provider gave none.
func newToolCallID() string { return "call_" + rand.Text()[:24] }
