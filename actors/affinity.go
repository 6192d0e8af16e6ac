package actors

import (
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"time"

	"gateway"
	"gateway/route"
)

// affinity remembers which model answered a conversation last, because its provider
// then holds the prompt in its cache: the next turn is cheaper there. It holds no text
// of a request: a name's hash is enough for a guess, which is all that a cache is. It is
// one table of a fixed size, made when there is something to keep, which has no pointers
// and whose entries are written over: maps that grow and are thrown away leave a heap with
// holes.
type affinity struct {
	life   time.Duration // 0: cacheLife
	mu     sync.Mutex
	seed   maphash.Seed
	sets   *[affinitySets][affinityWays]kept // nil before the first
	models []*gateway.Model                  // that were kept, each once: no more than the catalog has
}

// kept is held in few bytes. The zero value is an empty place.
type kept struct {
	tag    uint32 // of the name's hash, what does not say its set
	at     uint32 // Unix seconds
	prompt uint32 // tokens
	model  uint32 // in models
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
const cacheLife = 5 * time.Minute

// 32,768 places, which take 512 KiB. Names fall into sets by chance: of 16,000 conversations
// 2 in 100 find their set full. A set fills two lines of a processor's cache.
const (
	affinitySets = 1 << 12
	affinityWays = 8
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

// place says where a name is looked for, and by what it is known there.
func (a *affinity) place(c conversation) (*[affinityWays]kept, uint32) {
	name := maphash.Comparable(a.seed, c)
	return &a.sets[name%affinitySets], uint32(name >> 32)
}

// find is exact to a second, by which a cache may seem older than it is.
func (a *affinity) find(c conversation, now time.Time) (held, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sets == nil {
		return held{}, false
	}
	set, tag := a.place(c)
	for i := range set {
		k := &set[i]
		if k.tag != tag || k.at == 0 {
			continue
		}
		at := time.Unix(int64(k.at), 0)
		if now.Sub(at) >= a.lives() {
			return held{}, false
		}
		return held{a.models[k.model], int(k.prompt), at}, true
	}
	return held{}, false
}

// keep writes over what was kept of the conversation, else over the oldest of its set.
func (a *affinity) keep(c conversation, h held) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sets == nil {
		a.seed, a.sets = maphash.MakeSeed(), new([affinitySets][affinityWays]kept)
	}
	set, tag := a.place(c)
	into := &set[0]
	for i := range set {
		k := &set[i]
		if k.tag == tag && k.at != 0 {
			into = k
			break
		}
		if k.at < into.at {
			into = k
		}
	}
	prompt := min(max(h.prompt, 0), math.MaxInt32) // as a provider says, which may be anything
	*into = kept{tag, uint32(h.at.Unix()), uint32(prompt), a.indexOf(h.model)}
}

// indexOf is the place of a model in models.
func (a *affinity) indexOf(m *gateway.Model) uint32 {
	i := slices.Index(a.models, m)
	if i < 0 {
		i, a.models = len(a.models), append(a.models, m)
	}
	return uint32(i)
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
