package actors

import (
	"slices"
	"time"

	"gateway"
	"gateway/route"
)

// loopLife is how long a tool may run before its loop's maker is forgotten. The
// adapters keep what they need of a loop as long.
const loopLife = time.Hour

// maker made the opaque state that a tool loop runs on. The zero maker is none.
type maker struct {
	name     string // Protocol.Maker
	model    string // "" if the state does not say
	provider string // that gave the answer it came with; "" if that was not seen here
}

// misses says whether a model that may read state is the worse for not getting it back.
func misses(m *gateway.Model) bool { return m.ReasoningBack || !m.Protocol.Unsigned }

// fits says whether a model may read the state: it is for one model of its maker, and for
// any of the maker's if it names none. Some bind it to an account besides; a provider
// of another one refuses it, which its adapter deals with.
func (k maker) fits(m *gateway.Model) bool {
	return k.name == m.Protocol.Maker && (k.model == "" || k.model == m.Name)
}

// rank is a model's place among those for the next step of the loop: first whoever made
// the state, then who may read it, then the rest.
func (k maker) rank(m *gateway.Model) int {
	switch {
	case !k.fits(m) || !misses(m):
		return 2
	case k.provider == m.Provider:
		return 0
	}
	return 1
}

// makerOf is who made the state of the loop that a request is a step of: by the calls
// that it answers, which say the most, and by the state that the client hands back, which
// says less and outlives a restart. Where they disagree the state counts.
func (s *System) makerOf(req *gateway.Request, now time.Time) maker {
	told := maker{name: req.Loop.Maker, model: req.Loop.Model}
	for i := len(req.Loop.Calls) - 1; i >= 0; i-- {
		h, ok := s.loops.find(callOf(req, req.Loop.Calls[i]), now)
		if ok && (told == (maker{}) || told.fits(h.model)) {
			return maker{name: h.model.Protocol.Maker, model: h.model.Name, provider: h.model.Provider}
		}
	}
	return told
}

// callOf names a tool call. Some providers count calls from 0 in each conversation, so
// that its id says nothing without what the conversation begins with.
func callOf(req *gateway.Request, id string) conversation {
	return conversation{key: req.Key, session: "call " + id, prefix: req.Prefix}
}

// keepLoop remembers who made the calls of an answer that came with state.
func (s *System) keepLoop(req *gateway.Request, m *gateway.Model, t *tally, now time.Time) {
	if !t.signed && !(t.mused && m.ReasoningBack) {
		return
	}
	for _, id := range t.calls {
		s.loops.keep(callOf(req, id), held{model: m, at: now})
	}
}

// stayInLoop puts the candidates first that can read the loop's state; false if none
// can. The others follow: an answer without the state is better than none.
func stayInLoop(cands []route.Candidate, k maker) bool {
	slices.SortStableFunc(cands, func(a, b route.Candidate) int { return k.rank(a.Model) - k.rank(b.Model) })
	return k.rank(cands[0].Model) < 2
}

// leftOut says in the receipt that a model was asked without the state of the loop.
func (k maker) leftOut(m *gateway.Model) string {
	if k == (maker{}) || k.fits(m) {
		return ""
	}
	if k.model == "" {
		return "the reasoning state made by " + k.name + " was left out"
	}
	return "the reasoning state made by " + k.model + " was left out"
}
