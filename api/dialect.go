package api

import (
	"net/http"
	"strings"

	"gateway"
)

// dialect is a wire format that clients speak. Adding one is a file with these
// functions, a line in dialects and a route; everything between reading the body and
// writing the answer is the same for all of them.
type dialect struct {
	// claims says whether a path's errors are in this form. The first row that claims
	// a request has it, so that a refusal before any handler is in the right form too.
	claims func(r *http.Request) bool
	// scan finds out what routing must know of a body without building it, refuses
	// what is wrong everywhere, and sets the request's Wire, Raw and Decode.
	scan func(r *http.Request, raw []byte, req *gateway.Request) *gateway.Error
	// whole appends the answer to a client that does not stream.
	whole func(b []byte, req *gateway.Request, a *gateway.Answer) []byte
	// events makes the writer of a stream; a is nil when there is only a failure to write.
	events func(req *gateway.Request, a *gateway.Answer) eventWriter
	// failure appends an error and gives its status. id is the request's, for formats
	// whose errors name it.
	failure func(b []byte, p *problem, id string) ([]byte, int)
	// alive is what keeps a silent stream open once events have gone out; before the
	// first it is always a comment.
	alive string
	// silence keeps a stream open before the first event; "": a comment.
	silence string
	// media is the type of a stream; "": text/event-stream.
	media string
}

// eventWriter writes the events of one answer in one format. One goroutine uses it.
type eventWriter interface {
	// silent says that a chunk has nothing for the client.
	silent(c *gateway.Chunk) bool
	// chunk appends what a chunk that is not silent says.
	chunk(b []byte, c *gateway.Chunk) []byte
	// end appends what closes a whole answer. u is nil if no usage was told.
	end(b []byte, u *gateway.Usage, receipt []gateway.AttemptNote) []byte
	// fail appends what closes an answer that broke, so that nobody takes it for whole.
	fail(b []byte, p *problem) []byte
}

// protocolOf is how the provider of an answer was asked.
func protocolOf(a *gateway.Answer) *gateway.Protocol {
	if a == nil || a.Protocol == nil {
		return &gateway.Protocol{}
	}
	return a.Protocol
}

// dialects are the formats, the most particular claim first. The last row claims the rest.
var dialects = []*dialect{&shortDialect, &messagesDialect, &responsesDialect, &geminiDialect, &chatDialect}

// dialectOf is the format that a request's errors are told in.
func dialectOf(r *http.Request) *dialect {
	for _, d := range dialects {
		if d.claims(r) {
			return d
		}
	}
	return &chatDialect
}

// shortDialect is the form of errors on the short routes, which have no format of chat.
var shortDialect = dialect{
	claims: func(r *http.Request) bool {
		switch strings.TrimPrefix(r.URL.Path, "/api/v1.0") {
		case "/classify", "/plan", "/embed", "/health":
			return true
		}
		return false
	},
	failure: func(b []byte, p *problem, _ string) ([]byte, int) { return p.plain(b), p.status },
}
