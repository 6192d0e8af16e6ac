package actors

import (
	"math/bits"
	"sync"
	"time"

	"gateway"
	"gateway/route"
)

// plainMost is the longest answer, in tokens, that is asked for as one body on behalf of
// a client that does not stream. Each token of a stream costs 2 to 20 µs of CPU that a
// body does not (docs/performance.md); what it buys is that a stall is seen before the
// whole answer is overdue. An answer of this length takes three to five seconds: about
// as long as a stall must last to be told from ordinary silence.
const plainMost = 256

// plainly decides stream_upstream for one candidate. A provider of the client's own format
// is asked as the client asked, and its body is the client's, however long: put together
// from events it would be another one.
func (s *System) plainly(req *gateway.Request, c *route.Candidate) bool {
	switch c.Model.Upstream {
	case gateway.StreamAlways:
		return false
	case gateway.StreamNever:
		return true
	}
	if req.Stream || req.Embed != nil {
		return false
	}
	// Whoever sets a limit or a race by the first content wants to see one.
	o := &req.Options
	if c.Limit > 0 || s.cfg.Limit > 0 || s.cfg.HedgeAfter > 0 || o.HedgeAfter > 0 || o.Hedge == "force" {
		return false
	}
	if p := s.byName[c.Model.Provider]; p != nil && p.After > 0 {
		return false
	}
	if c.Model.Protocol.Passes(req) && !s.adapts(c.Model) {
		return true
	}
	return !req.DeepEffort && s.short(req, c.Model)
}

// adapts says whether the model's limit of calls at once is learned from times to the first
// content, which long answers in one piece do not tell.
func (s *System) adapts(m *gateway.Model) bool {
	p := s.byName[m.Provider]
	if p == nil {
		return false
	}
	limits, own := p.ByModel[m.Name]
	if !own {
		limits = p.Limits
	}
	return limits.Adaptive
}

// short says whether an answer is expected to have no more than plainMost tokens.
func (s *System) short(req *gateway.Request, m *gateway.Model) bool {
	if n := req.MaxTokens; n > 0 {
		return n <= plainMost
	}
	return s.lengths.mostly(m) <= plainMost
}

// How long a plain call may take. Anthropic's own clients reckon with 128,000 tokens an
// hour, and want a stream for what that makes longer than ten minutes; before the first of
// them a model may think for a minute, as route grants it to any plain call.
const (
	longestAnswer = 10 * time.Minute
	perToken      = time.Hour / 128_000
	firstOfAll    = time.Minute
)

// long is how long a plain call may take, and what answers of its model take as a rule; 0
// where the answer is a short one. A pair that passes everything is asked plainly whatever
// its answers were like, so there only the client's own limit says that they are short.
func (s *System) long(req *gateway.Request, m *gateway.Model) (most, usual time.Duration) {
	tokens := req.MaxTokens
	if req.Embed != nil || s.short(req, m) && (tokens > 0 || !m.Protocol.Passes(req)) {
		return 0, 0
	}
	if tokens == 0 {
		tokens = m.MaxOutput
	}
	most = longestAnswer
	if tokens > 0 && tokens < int((longestAnswer-firstOfAll)/perToken) {
		most = firstOfAll + time.Duration(tokens)*perToken
	}
	_, _, usual = s.habits.typical(m)
	return most, min(usual, most)
}

// lengths remembers how long the answers of each model are for clients that do not
// stream and set no limit.
type lengths struct {
	mu      sync.Mutex
	byModel map[*gateway.Model]*[lengthBuckets]int
}

const (
	lengthBuckets = 20  // powers of two
	lengthNeeds   = 50  // answers before they say anything
	lengthMost    = 500 // answers after which the older half counts half
)

// saw notes an answer that came whole.
func (l *lengths) saw(m *gateway.Model, req *gateway.Request, tokens int) {
	if req.Stream || req.Embed != nil || req.MaxTokens > 0 || tokens <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byModel == nil {
		l.byModel = map[*gateway.Model]*[lengthBuckets]int{}
	}
	counts := l.byModel[m]
	if counts == nil {
		counts = new([lengthBuckets]int)
		l.byModel[m] = counts
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	if total >= lengthMost {
		for i := range counts {
			counts[i] /= 2
		}
	}
	counts[min(bits.Len(uint(tokens-1)), lengthBuckets-1)]++
}

// mostly is a length that nine answers of ten do not exceed, as a power of two; more
// than any answer has while too few are known.
func (l *lengths) mostly(m *gateway.Model) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := l.byModel[m]
	if counts == nil {
		return 1 << lengthBuckets
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	if total < lengthNeeds {
		return 1 << lengthBuckets
	}
	seen := 0
	for i, n := range counts {
		if seen += n; 10*seen >= 9*total {
			return 1 << i
		}
	}
	return 1 << lengthBuckets
}

// untilWhole gives a request whose answer may come as one body all its time for the
// first content, which is then the last as well. A candidate that is asked for a stream has
// no more time for its first content than otherwise.
func untilWhole(r *route.Rules, cands []route.Candidate, now time.Time) {
	for i := range cands {
		if cands[i].Plain && r.ContentIn == 0 {
			r.ContentBy, r.ContentIn = r.Deadline, r.ContentBy.Sub(now)
		}
	}
}
