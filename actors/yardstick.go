package actors

import (
	"sync"
	"time"

	"gateway"
)

// yardsticks learn how a model's own counts compare with ours, so that what it does not
// report is estimated in its vocabulary and not in OpenAI's.
type yardsticks struct {
	mu      sync.Mutex
	byModel map[*gateway.Model]*yardstick
}

type yardstick struct {
	prompt, output ratio
	measured       time.Time // of a prompt, the last time
}

// ratio is of the provider's counts to ours, the latest counting most.
type ratio struct{ theirs, ours float64 }

const (
	yardForgets = 0.98 // by each answer: some fifty count
	yardNeeds   = 200  // tokens of ours before it says anything
	yardMost    = 3.0  // a factor beyond this is not a vocabulary's doing
	// Reading a prompt whole costs some 10 ns a byte, so it is done once in a while only.
	measureEvery = time.Second
)

func (r *ratio) learn(theirs, ours int) {
	if theirs <= 0 || ours <= 0 {
		return
	}
	r.theirs = r.theirs*yardForgets + float64(theirs)
	r.ours = r.ours*yardForgets + float64(ours)
}

func (r *ratio) scale(ours int) int {
	if r.ours < yardNeeds {
		return ours
	}
	f := min(max(r.theirs/r.ours, 1/yardMost), yardMost)
	return int(float64(ours)*f + 0.5)
}

func (y *yardsticks) of(m *gateway.Model) *yardstick {
	if y.byModel == nil {
		y.byModel = map[*gateway.Model]*yardstick{}
	}
	s := y.byModel[m]
	if s == nil {
		s = &yardstick{}
		y.byModel[m] = s
	}
	return s
}

// learn compares a report with our own counts. Reasoning that was billed and not shown
// would look like a longer vocabulary, and images are counted by rules of their own.
func (y *yardsticks) learn(m *gateway.Model, req *gateway.Request, u *gateway.Usage, text *gateway.TokenCount, now time.Time) {
	y.mu.Lock()
	s := y.of(m)
	if u.Reasoning == 0 && req.Embed == nil {
		s.output.learn(u.Output, text.Tokens())
	}
	due := !u.PromptUnknown && req.Images == 0 && now.Sub(s.measured) >= measureEvery
	if due {
		s.measured = now
	}
	y.mu.Unlock()
	if !due {
		return
	}
	ours := req.CountPrompt()
	y.mu.Lock()
	s.prompt.learn(u.Prompt(), ours)
	y.mu.Unlock()
}

func (y *yardsticks) promptOf(m *gateway.Model, req *gateway.Request) int {
	ours := req.CountPrompt()
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.of(m).prompt.scale(ours)
}

func (y *yardsticks) textOf(m *gateway.Model, text *gateway.TokenCount) int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.of(m).output.scale(text.Tokens())
}
