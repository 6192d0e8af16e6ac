package api

import "bytes"

// A provider's error may repeat what it was sent. What a log is told of it leaves out
// every piece of the client's body that is at least so long; of a body too large to look
// through, all of it.
const (
	scrubbedRun  = 16
	scrubbedMost = 1 << 20
)

// scrub leaves out of a text what stands in what the client sent.
func scrub(text string, sent []byte) string {
	if len(sent) == 0 || len(text) < scrubbedRun {
		return text
	}
	if len(sent) > scrubbedMost || len(text) > 4<<10 {
		return "(left out: the request is too large to tell whether it is in it)"
	}
	const hole = "[…]"
	var out []byte
	for i := 0; i < len(text); {
		n := 0
		if i+scrubbedRun <= len(text) && bytes.Contains(sent, []byte(text[i:i+scrubbedRun])) {
			n = scrubbedRun
			for i+n < len(text) && bytes.Contains(sent, []byte(text[i+n+1-scrubbedRun:i+n+1])) {
				n++
			}
		}
		if n == 0 {
			out = append(out, text[i])
			i++
			continue
		}
		out = append(out, hole...)
		i += n
	}
	return string(bytes.ToValidUTF8(out, nil))
}
