package actors

import (
	"sync"
	"time"

	"gateway"
)

// habits is what this process has learned of the models from reported usage: for estimates
// of what is not known, and to keep holds above bills.
type habits struct {
	mu sync.Mutex
	of map[*gateway.Model]*habit
}

type habit struct {
	answers int   // seen, up to habitLength
	output  int64 // tokens of an answer, in thousandths
	prompt  int64 // reported tokens of a prompt per estimated one, in thousandths
	first   time.Duration
	takes   time.Duration
	hidden  bool // an answer had more tokens than what was shown of it can have: it thinks unseen
	wide    int64
}

// habitLength is how many answers the means follow.
const habitLength = 64

func (h *habits) get(m *gateway.Model) *habit {
	if h.of == nil {
		h.of = map[*gateway.Model]*habit{}
	}
	x := h.of[m]
	if x == nil {
		x = &habit{prompt: 1000, output: 1000 * expectedAnswer, takes: 10 * time.Second, first: time.Second, wide: 1000}
		h.of[m] = x
	}
	return x
}

// expectedAnswer is the length of an answer of which nothing is known, as in package route.
const expectedAnswer = 400

// saw learns from an answer whose tokens were reported. estimate is what its prompt had been
// thought to be.
func (h *habits) saw(m *gateway.Model, e *gateway.Entry, t *tally, estimate int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.get(m)
	x.answers = min(x.answers+1, habitLength)
	n := int64(x.answers)
	x.output += (1000*int64(e.Usage.Output) - x.output) / n
	x.takes += (e.Took - x.takes) / time.Duration(n)
	if !t.plain { // the first content of a plain call is its last
		x.first += (e.FirstContent - x.first) / time.Duration(n)
	}
	if estimate > 0 {
		ratio := min(5000, 1000*int64(e.Usage.Prompt())/int64(estimate))
		x.prompt += (ratio - x.prompt) / n
	}
	x.hidden = x.hidden || t.hides(&e.Usage)
}

// A token of shown text has two bytes at least, in the mean of more than a few: text comes
// to four, languages of other scripts and code to some three. Who shows fewer for what it
// bills keeps something back, or tells a summary of it.
const leastShown = 2

// hides says whether an answer was billed for more than was shown of it.
func (t *tally) hides(u *gateway.Usage) bool {
	return u.Reasoning > 0 && t.thought < leastShown*u.Reasoning || leastShown*(u.Output-gateway.Unshown) > t.bytes
}

// plain says that the model is known to show everything that it bills.
func (h *habits) plain(m *gateway.Model) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	x, enough := h.get(m), 1
	if m.Protocol.Hides { // and may think about some questions only
		enough = plainAfter
	}
	return x.answers >= enough && !x.hidden
}

// hidden says that the model is known to bill more than it shows.
func (h *habits) hidden(m *gateway.Model) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.get(m).hidden
}

const plainAfter = 8

// asksToThink says whether a request wants reasoning.
func asksToThink(req *gateway.Request) bool {
	if req.Thinks || req.DeepEffort || req.Decode == nil {
		return req.Thinks || req.DeepEffort
	}
	chat, err := req.Chat()
	return err != nil || chat.Thoughts || chat.Effort != "" && chat.Effort != "none"
}

// typical are the tokens of an answer, and the times to its first content and its end.
func (h *habits) typical(m *gateway.Model) (output int, first, takes time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.get(m)
	return int(x.output / 1000), x.first, x.takes
}

// made is how many tokens of an answer the model has made after a time, going by how fast
// the others came.
func (h *habits) made(m *gateway.Model, after time.Duration) int {
	output, _, takes := h.typical(m)
	return int(float64(output) * after.Seconds() / max(takes.Seconds(), 0.001))
}

// promptOf corrects an estimate of a prompt by what earlier ones turned out to be.
func (h *habits) promptOf(m *gateway.Model, estimate int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return int((int64(estimate)*h.get(m).prompt + 500) / 1000)
}

// exceeded widens the holds of a model that billed more than was held.
func (h *habits) exceeded(m *gateway.Model, cost, held gateway.Microcents) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.get(m)
	x.wide = max(x.wide, min(10_000, x.wide*int64(cost)/max(1, int64(held))*11/10+1))
}

// widened is the factor on holds, in thousandths.
func (h *habits) widened(m *gateway.Model) gateway.Picodollars {
	h.mu.Lock()
	defer h.mu.Unlock()
	return gateway.Picodollars(h.get(m).wide)
}
