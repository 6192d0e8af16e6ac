package fakeupstream

import (
	"fmt"
	"net/http"
	"time"
)

// stream sends an answer part by part.
func (p *play) stream(a answer) {
	frames := p.server.wire.frames(p.talk, a)
	after := p.after(frames)
	c := p.server.config
	p.w.Header().Set("Content-Type", p.server.wire.contentType())
	p.w.Header().Set("Cache-Control", "no-cache")
	if p.step.Fault == WrongLength {
		length := 100
		for _, f := range frames {
			length += len(f.data)
		}
		p.w.Header().Set("Content-Length", fmt.Sprint(length))
	}
	started, sent := false, 0
	for _, f := range frames {
		if f.part != early && !started {
			started = true
			if !p.waitForFirst(c.First.draw(c.Seed, p.bill.Number)) {
				return
			}
		} else if f.part == content && sent > 0 && !p.pause(c.Gap) {
			return
		}
		if p.strikes(f, sent, after) {
			return
		}
		if !p.write(f.data) {
			return
		}
		if f.part == content {
			sent++
			p.bill.Usage.Output = max(p.bill.Usage.Output, f.tokens)
			p.bill.Usage.Reasoning = min(a.usage.Reasoning, p.bill.Usage.Output)
		}
	}
	p.bill.Usage = a.usage
	if p.step.Fault == WrongLength {
		panic(http.ErrAbortHandler) // the bytes that were promised do not come
	}
}

// after is how many content frames go out before a fault in the middle.
func (p *play) after(frames []frame) int {
	total := 0
	for _, f := range frames {
		if f.part == content {
			total++
		}
	}
	if p.step.After > 0 {
		return min(p.step.After, total)
	}
	return total / 2
}

// waitForFirst waits for the model to begin, with signs of life where the provider
// gives them.
func (p *play) waitForFirst(wait time.Duration) bool {
	beat := p.server.wire.keepAlive()
	if beat == nil {
		return p.pause(wait)
	}
	const beats = 4 // even a model that begins at once lets a few through
	for range beats {
		if !p.write(beat) || !p.pause(wait/beats) {
			return false
		}
	}
	return true
}

// strikes plays the fault whose place is before this frame. It is true when the stream
// is over with it.
func (p *play) strikes(f frame, sent, after int) bool {
	if p.struck {
		return false
	}
	midway := f.part == content && sent == after || f.part == tail && sent <= after
	switch p.step.Fault {
	case StallFirst:
		if f.part == content && sent == 0 || f.part == tail && sent == 0 {
			return p.stalls()
		}
	case StallMidway:
		if midway {
			return p.stalls()
		}
	case Malformed:
		if midway {
			p.write(p.server.wire.broken(`{"broken":[{`))
			return true
		}
	case ErrorMidway:
		if midway {
			p.write(p.server.wire.failed(p.server.wire.adjust(faultRefusal(Overloaded, p.step, p.talk))))
			return true
		}
	case Truncated:
		return midway
	case CutBeforeUsage:
		return f.part == tail
	}
	return false
}

// stalls is silent, and then goes on if the caller is still there.
func (p *play) stalls() bool {
	p.struck = true
	p.hold()
	return p.r.Context().Err() != nil
}
