package actors

import (
	"strings"
	"time"

	"gateway"
)

// script keeps what the client has seen of a stream that may be continued after a
// break. A nil script keeps nothing.
type script struct {
	text, reasoning strings.Builder
	other           bool // something that cannot be compared or continued: a tool call, a refusal, a second choice
}

func (s *script) saw(c *gateway.Chunk) {
	if s == nil {
		return
	}
	s.text.WriteString(c.Text)
	s.reasoning.WriteString(c.Reasoning)
	s.other = s.other || len(c.Tools) > 0 || c.Refusal != "" || c.Media != nil || c.Other || c.Choice != 0 || c.Finish != ""
}

func (s *script) resumable() bool { return s != nil && !s.other }

// resume finds a candidate to go on where a stream broke. One that takes an assistant
// prefill continues it; any other is asked from the start, and what it says is
// swallowed while it repeats what was already sent. Two different answers are never
// spliced. Nil when nobody can: the client then hears of the break itself, never of a
// candidate's refusal.
func (s *System) resume(l *live, broke *gateway.Error) *resumed {
	old := l.attempt.job
	text := l.script.text.String()
	j := &job{ctx: old.ctx, req: old.req, begun: old.begun, maker: old.maker, rules: old.rules, parent: root(old), prefill: text, reply: make(chan struct{}, 1)}
	for i, c := range old.cands {
		if i != l.attempt.cand {
			j.cands = append(j.cands, c)
		}
	}
	if len(j.cands) == 0 || j.rules.NoFallback {
		return nil
	}
	j.rules.Numbered = l.attempt.n + len(old.cands) + 1 // no number that the first walk may have given
	j.rules.ContentBy = time.Now().Add(s.cfg.ContentBy)
	if j.rules.Deadline.Before(j.rules.ContentBy) {
		j.rules.ContentBy = j.rules.Deadline
	}
	j.rules.FirstRole, j.rules.Hedge, j.rules.Whole = gateway.Resumed, "off", false
	j.borrow() // its attempts are made by others: Close may want to have the stream
	s.tell(begin{j})
	select {
	case <-j.reply:
		r := j.told
		if r.err != nil {
			return nil
		}
		return newResumed(r.answer.Stream.(*live), l.script, broke)
	case <-j.ctx.Done():
		s.tell(gone{j})
		if !j.leave() {
			if <-j.reply; j.told.answer != nil {
				j.told.answer.Stream.Close()
			}
		}
		return nil
	}
}

func root(j *job) *job {
	if j.parent != nil {
		return j.parent
	}
	return j
}

// resumed is the stream that goes on after a break.
type resumed struct {
	l               *live
	text, reasoning string // still to be repeated before anything is new
	broke           *gateway.Error
}

func newResumed(l *live, seen *script, broke *gateway.Error) *resumed {
	r := &resumed{l: l, broke: broke}
	if !l.attempt.model.Can.Prefill {
		r.text, r.reasoning = seen.text.String(), seen.reasoning.String()
	}
	return r
}

// Next gives what is new. At the first difference from what was sent it ends with the
// break's own error.
func (r *resumed) Next() (gateway.Chunk, error) {
	for {
		c, err := r.l.Next()
		if err != nil {
			return c, err
		}
		c.Raw, c.Event = nil, "" // of another message than the one that the client reads
		fits := swallow(&c.Text, &r.text) && swallow(&c.Reasoning, &r.reasoning)
		if !fits || len(r.text) > 0 && (c.Finish != "" || len(c.Tools) > 0) {
			r.l.Close()
			return gateway.Chunk{}, r.broke
		}
		if c.HasContent() || c.Finish != "" || c.Usage != nil {
			return c, nil
		}
	}
}

// Close ends it.
func (r *resumed) Close() error { return r.l.Close() }

// swallow drops from piece what was still to be repeated; false if it differs.
func swallow(piece, due *string) bool {
	n := min(len(*piece), len(*due))
	if (*piece)[:n] != (*due)[:n] {
		return false
	}
	*piece, *due = (*piece)[n:], (*due)[n:]
	return true
}
