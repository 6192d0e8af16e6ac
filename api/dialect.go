package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"gateway"
)

// dialect is a wire format that clients speak: all that is peculiar to it. The format's
// file declares it and adds it with register, and everything between reading the body and
// writing the answer is the same for all of them. Nothing outside of that file tells one
// format from another.
type dialect struct {
	// wire is the format's name: that of the bodies which scan reads. A provider that
	// declares the same gets them as they came.
	wire gateway.Wire
	// claims says whether a path's errors are in this form, also those of a refusal before
	// any handler. No two claim the same request; nil claims what nobody else does.
	claims func(r *http.Request) bool
	// key, if set, finds the client's key where the format has it, and puts it where others do.
	key gin.HandlerFunc
	// endpoints are the format's routes. d is the dialect itself.
	endpoints func(s *Server, d *dialect) []endpoint
	// models, if set, lists the models at /v1/models in the format's shape, or tells of the
	// one with this id.
	models func(s *Server, c *gin.Context, id string)
	// scan finds out what routing must know of a body without building it, refuses
	// what is wrong everywhere, and sets the request's Wire, Raw and Decode.
	scan func(r *http.Request, raw []byte, req *gateway.Request) *gateway.Error
	// whole appends the answer to a client that does not stream, if no body was given as it is.
	whole func(b []byte, req *gateway.Request, a *gateway.Answer) []byte
	// events makes the writer of a stream; a is nil when there is only a failure to write.
	events func(req *gateway.Request, a *gateway.Answer) eventWriter
	// failure appends an error and gives its status. id is the request's, for formats
	// whose errors name it.
	failure func(b []byte, p *problem, id string) ([]byte, int)
	// names is the header in which a provider of the format names a call, and its clients
	// look for that; "" where the gateway's own name stands.
	names string
	// alive is what keeps a silent stream open once events have gone out; before the
	// first it is always a comment.
	alive string
	// silence keeps a stream open before the first event; "": a comment.
	silence string
	// media is the type of a stream; "": text/event-stream.
	media string
	// idHeader is the format's own header for the request's id, besides those that all have.
	idHeader string
}

// answer is what a client that does not stream gets. What a provider of its own format gave
// as one body is that body, whose bytes are the client's.
// Any other is appended to b.
func (d *dialect) answer(b []byte, req *gateway.Request, a *gateway.Answer) []byte {
	if body := a.Completion.Body; body != nil {
		return withReceipt(body, req, a)
	}
	return d.whole(b, req, a)
}

// called tells a provider's own name for the call: its support asks for it. Where the client
// gets what the provider said as it came, it is found where that provider puts it, too.
func (d *dialect) called(h http.Header, id string, asItCame bool) {
	if id == "" {
		return
	}
	named := []string{id}
	h["X-Gateway-Provider-Request-Id"] = named
	if d.names != "" && asItCame {
		h[d.names] = named
	}
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

// endpoint is a route of a format.
type endpoint struct {
	method, path string
	cost         cost
	serve        gin.HandlerFunc
}

// cost is what a route asks of its client, each more than the one before.
type cost uint8

const (
	free   cost = iota // a key
	counts             // and room for the body
	spends             // and a place within the key's limits
)

// everywhere are the routes under all prefixes that the formats of OpenAI have here.
func everywhere(routes ...endpoint) []endpoint {
	var all []endpoint
	for _, prefix := range [...]string{"/v1", "/api/v1.0"} {
		for _, r := range routes {
			r.path = prefix + r.path
			all = append(all, r)
		}
	}
	return all
}

// dialects are the formats that there are. Only register adds to it, before main begins.
var dialects []*dialect

// register adds a format. It is for the init function of the format's file, as with drivers
// of database/sql. A second one of a name, or a second that claims the rest, is a fault of
// the program, which does not start.
func register(d *dialect) {
	for _, other := range dialects {
		if d.wire == other.wire || d.claims == nil && other.claims == nil {
			panic(fmt.Sprintf("api: the format %q is declared beside %q", d.wire, other.wire))
		}
	}
	if d.wire == "" || d.failure == nil {
		panic("api: a format needs a name and a form of errors")
	}
	dialects = append(dialects, d)
}

// dialectOf is the format that a request's errors are told in.
func dialectOf(r *http.Request) *dialect {
	var rest *dialect
	for _, d := range dialects {
		if d.claims == nil {
			rest = d
		} else if d.claims(r) {
			return d
		}
	}
	return rest
}

// speak adds the routes of every format.
func (s *Server) speak(e *gin.Engine) {
	for _, d := range dialects {
		if d.endpoints == nil {
			continue
		}
		for _, route := range d.endpoints(s, d) {
			var chain []gin.HandlerFunc
			if d.key != nil {
				chain = append(chain, d.key)
			}
			chain = append(chain, s.authenticate)
			if route.cost >= counts {
				chain = append(chain, s.admit)
			}
			if route.cost >= spends {
				chain = append(chain, s.limit)
			}
			e.Handle(route.method, route.path, append(chain, route.serve)...)
		}
	}
}

// protocolOf is how the provider of an answer was asked.
func protocolOf(a *gateway.Answer) *gateway.Protocol {
	if a == nil || a.Protocol == nil {
		return &gateway.Protocol{}
	}
	return a.Protocol
}

// shortDialect is the form of errors on the short routes, which have no format of chat.
var shortDialect = dialect{
	wire: "short",
	claims: func(r *http.Request) bool {
		switch strings.TrimPrefix(r.URL.Path, "/api/v1.0") {
		case "/classify", "/plan", "/embed", "/health":
			return true
		}
		return false
	},
	failure: func(b []byte, p *problem, _ string) ([]byte, int) { return p.plain(b), p.status },
}

func init() { register(&shortDialect) }
