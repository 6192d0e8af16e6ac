package actors

import (
	"sync"
	"time"

	"gateway"
	"gateway/route"
)

// gapBook knows for every model how long it is silent in the middle of its answers. It
// hears of an answer once, at its end.
type gapBook struct {
	times *route.Times

	mu      sync.Mutex
	byModel map[*gateway.Model]*route.Gaps
}

func (g *gapBook) add(m *gateway.Model, now time.Time, short int, long []time.Duration) {
	if short == 0 && len(long) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	of := g.byModel[m]
	if of == nil {
		if g.byModel == nil {
			g.byModel = map[*gateway.Model]*route.Gaps{}
		}
		of = route.NewGaps(g.times)
		g.byModel[m] = of
	}
	of.Add(now, short, long)
}

// limit is how long a model may be silent.
func (g *gapBook) limit(m *gateway.Model, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if of := g.byModel[m]; of != nil {
		return of.Limit(now)
	}
	return g.times.IdleMost
}

// silence is what one stream waits for between one sign of progress and the next.
type silence struct {
	soFar time.Duration // waited since the last progress, before the present wait
	short int           // gaps of no account
	long  []time.Duration
	worth time.Duration // a gap that is long
}

// heard notes a chunk after a wait. Only what brings the answer forward ends a silence: a
// role without text or an empty delta shows a connection, not progress.
func (s *silence) heard(c *gateway.Chunk, waited time.Duration) {
	if !c.HasContent() && c.Finish == "" && c.Usage == nil && len(c.Thinking) == 0 {
		s.soFar = waited
		return
	}
	s.soFar = 0
	if waited < s.worth {
		s.short++
		return
	}
	s.long = append(s.long, waited)
}

// broke notes a wait that led to nothing.
func (s *silence) broke(waited time.Duration) {
	if waited >= s.worth {
		s.long = append(s.long, waited)
	}
}
