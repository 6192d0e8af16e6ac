package actors

import (
	"time"

	"gateway"
	"gateway/route"
)

// loopLife is how long a tool may run before its loop's maker is forgotten. The
// adapters keep what they need of a loop as long.
const loopLife = time.Hour

// maker made the opaque state that a tool loop runs on. It alone can read it. The zero
// maker is none.
type maker struct{ kind, model string }

// makers are the kinds behind the names that state carries.
var makers = map[string]string{"openai": "openai_responses"}

// wants says whether a model is the worse for not getting the state back.
func (k maker) wants(m *gateway.Model) bool {
	return m.ReasoningBack || k.kind != "openai_compatible" && k.kind != "ollama"
}

// fits says whether a model reads the state. A state that names no model is its kind's.
func (k maker) fits(m *gateway.Model) bool {
	return k.kind == m.Kind && (k.model == "" || k.model == m.Name)
}

// makerOf is who made the state of the loop that a request is a step of: by the state
// that the client hands back, else by the calls that it answers.
func (s *System) makerOf(req *gateway.Request, now time.Time) maker {
	if l := &req.Loop; l.Maker != "" {
		kind := l.Maker
		if named, ok := makers[kind]; ok {
			kind = named
		}
		return maker{kind, l.Model}
	}
	for i := len(req.Loop.Calls) - 1; i >= 0; i-- {
		if h, ok := s.loops.find(callOf(req.Key, req.Loop.Calls[i]), now); ok {
			return maker{h.model.Kind, h.model.Name}
		}
	}
	return maker{}
}

// callOf names a tool call among the conversations of a key.
func callOf(key, id string) conversation { return conversation{key: key, session: "call " + id} }

// keepLoop remembers who made the calls of an answer that came with state.
func (s *System) keepLoop(req *gateway.Request, m *gateway.Model, t *tally, now time.Time) {
	if !t.signed && !(t.mused && m.ReasoningBack) {
		return
	}
	for _, id := range t.calls {
		s.loops.keep(callOf(req.Key, id), held{model: m, at: now})
	}
}

// stayInLoop puts the candidates first that can read the loop's state; false if none
// can. The others follow: an answer without the state is better than none.
func stayInLoop(cands []route.Candidate, k maker) bool {
	first := 0
	for i := range cands {
		if !k.fits(cands[i].Model) || !k.wants(cands[i].Model) {
			continue
		}
		c := cands[i]
		copy(cands[first+1:i+1], cands[first:i])
		cands[first] = c
		first++
	}
	return first > 0
}

// leftOut says in the receipt that a model was asked without the state of the loop.
func (k maker) leftOut(m *gateway.Model) string {
	if k == (maker{}) || k.fits(m) {
		return ""
	}
	if k.model == "" {
		return "the reasoning state made by " + k.kind + " was left out"
	}
	return "the reasoning state made by " + k.model + " was left out"
}
