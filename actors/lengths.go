package actors

import (
	"math/bits"
	"sync"

	"gateway"
	"gateway/route"
)

// plainMost is the longest answer, in tokens, that is asked for as one body on behalf of
// a client that does not stream. Each token of a stream costs 2 to 20 µs of CPU that a
// body does not (docs/performance.md); what it buys is that a stall is seen before the
// whole answer is overdue. An answer of this length takes three to five seconds: about
// as long as a stall must last to be told from ordinary silence.
const plainMost = 256

// plainly decides stream_upstream for one candidate.
func (s *System) plainly(req *gateway.Request, c *route.Candidate) bool {
	switch c.Model.Upstream {
	case gateway.StreamAlways:
		return false
	case gateway.StreamNever:
		return true
	}
	if req.Stream || req.Embed != nil || req.DeepEffort {
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
	if n := req.MaxTokens; n > 0 {
		return n <= plainMost
	}
	return s.lengths.mostly(c.Model) <= plainMost
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
// first content, which is then the last as well.
func untilWhole(r *route.Rules, cands []route.Candidate) {
	for i := range cands {
		if cands[i].Plain && r.ContentBy.Before(r.Deadline) {
			r.ContentBy = r.Deadline
		}
	}
}
