package actors

import (
	"hash/maphash"
	"sync"
	"time"

	"gateway"
	"gateway/route"
)

// affinity remembers which model answered a conversation last, because its provider
// then holds the prompt in its cache: the next turn is cheaper there. It is bounded by
// turning over two generations, and holds no text of a request: a name's hash is enough
// for a guess, which is all that a cache is, and a full generation takes 1 MB by it.
type affinity struct {
	life       time.Duration // 0: cacheLife
	mu         sync.Mutex
	seed       maphash.Seed
	young, old map[uint64]kept
	turned     time.Time
}

// kept is held in few bytes.
type kept struct {
	model  *gateway.Model
	at     int64 // Unix nanoseconds
	prompt int
}

// conversation names one by the client's session header, or by what its prompt begins
// with, which does not change from turn to turn. The key keeps clients apart.
type conversation struct {
	key, session string
	prefix       uint64
}

type held struct {
	model  *gateway.Model
	prompt int // tokens the cache is expected to hold
	at     time.Time
}

// Caches of the large providers live about five minutes after their last use. Source:
// wire reference section 8.3 (ttl 5m).
const (
	cacheLife        = 5 * time.Minute
	conversationMost = 20_000 // of a generation
)

func conversationOf(req *gateway.Request) (conversation, bool) {
	c := conversation{key: req.Key, session: req.Options.Affinity}
	if c.session == "" {
		c.prefix = req.Prefix
	}
	return c, (c.session != "" || c.prefix != 0) && req.Embed == nil
}

func (a *affinity) lives() time.Duration {
	if a.life > 0 {
		return a.life
	}
	return cacheLife
}

func (a *affinity) find(c conversation, now time.Time) (held, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.young == nil {
		return held{}, false
	}
	name := maphash.Comparable(a.seed, c)
	k, ok := a.young[name]
	if !ok {
		k, ok = a.old[name]
	}
	at := time.Unix(0, k.at)
	if !ok || now.Sub(at) >= a.lives() {
		return held{}, false
	}
	return held{k.model, k.prompt, at}, true
}

func (a *affinity) keep(c conversation, h held) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.young == nil || len(a.young) >= conversationMost || h.at.Sub(a.turned) > a.lives() {
		if a.young == nil {
			a.seed = maphash.MakeSeed()
		}
		a.old, a.young, a.turned = a.young, make(map[uint64]kept), h.at
	}
	a.young[maphash.Comparable(a.seed, c)] = kept{h.model, h.at.UnixNano(), h.prompt}
}

// stay puts the model of a named session first where it is not too dear: its client
// asked for one provider that knows the conversation. Without a name only the price
// decides, in which the cache already counts.
func stay(req *gateway.Request, cands []route.Candidate, h held, ratio float64) {
	if req.Options.Affinity == "" {
		return
	}
	for i := range cands {
		if cands[i].Model != h.model {
			continue
		}
		if cands[i].Priced && float64(cands[i].Expected) <= ratio*float64(cands[0].Expected) {
			c := cands[i]
			copy(cands[1:i+1], cands[:i])
			cands[0] = c
		}
		return
	}
}
