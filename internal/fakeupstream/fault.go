package fakeupstream

import (
	"regexp"
	"slices"
)

// Fault is a way to fail. Its text is its name in a [[fault:NAME]] marker.
type Fault string

// The faults. Those of streams also apply to an answer that is not streamed as far as
// that makes sense: it is then cut, late or wrong as a whole.
const (
	None            Fault = ""
	Reset           Fault = "reset"            // the connection is reset without a byte
	BlackHole       Fault = "black-hole"       // nothing, not even headers, until the caller leaves
	ServerError     Fault = "500"              //
	HTML502         Fault = "502"              // a proxy's HTML page
	Overloaded      Fault = "503"              // 529 from Anthropic
	RateLimited     Fault = "429"              // with Retry-After, or RetryInfo from Gemini
	RateLimitedMute Fault = "429-mute"         // without saying how long
	Unauthorized    Fault = "401"              // the key is wrong; 400 from Gemini
	NoModel         Fault = "404"              // the model does not exist
	ContextLength   Fault = "context-length"   // the prompt is too long
	SlowHeaders     Fault = "slow-headers"     // the answer starts after Step.Wait
	StallFirst      Fault = "stall-first"      // headers and the role, then silence
	StallMidway     Fault = "stall-midway"     // silence between two tokens
	Malformed       Fault = "malformed"        // an event that is not JSON, midway
	Truncated       Fault = "truncated"        // ends midway as if it were complete
	WrongLength     Fault = "wrong-length"     // Content-Length promises more than comes
	ErrorFirst      Fault = "error-first"      // 200, then an error in place of an answer
	ErrorMidway     Fault = "error-midway"     // 200, then an error after some tokens
	Empty           Fault = "empty"            // a proper answer without content
	EmptyBody       Fault = "empty-body"       // 200 and no bytes
	Garbage         Fault = "garbage"          // 200 and bytes that mean nothing
	CutBeforeUsage  Fault = "cut-before-usage" // all tokens, but neither finish nor usage
)

// Faults lists every fault but None.
func Faults() []Fault {
	return []Fault{
		Reset, BlackHole, ServerError, HTML502, Overloaded, RateLimited, RateLimitedMute, Unauthorized, NoModel,
		ContextLength, SlowHeaders, StallFirst, StallMidway, Malformed, Truncated, WrongLength, ErrorFirst,
		ErrorMidway, Empty, EmptyBody, Garbage, CutBeforeUsage,
	}
}

var (
	faultMarker = regexp.MustCompile(`\[\[fault:([a-z0-9-]+)\]\]`)
	idMarker    = regexp.MustCompile(`\[\[id:([A-Za-z0-9._-]+)\]\]`)
)

// markedFault is the fault a prompt asks for. A name that does not exist is None.
func markedFault(prompt string) Fault {
	if found := faultMarker.FindStringSubmatch(prompt); found != nil && slices.Contains(Faults(), Fault(found[1])) {
		return Fault(found[1])
	}
	return None
}

func markedID(prompt string) string {
	if found := idMarker.FindStringSubmatch(prompt); found != nil {
		return found[1]
	}
	return ""
}
