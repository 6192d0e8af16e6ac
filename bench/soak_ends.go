package main

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"gateway/internal/fakeupstream"
)

// ends tells apart how the streams of a soak ended that were not answered whole and
// whose clients had not left.
type ends struct {
	broken  atomic.Int64 // after their first content
	refused atomic.Int64 // by the gateway, for want of room or processor
	failed  atomic.Int64 // with nothing: what a gateway is there to prevent

	before int64 // streams that the providers had broken before the soak

	told failures
}

// add notes the end of a stream that was due at a time.
func (e *ends) add(s sample, due time.Time) {
	if s.err != nil && !errors.Is(s.err, context.Canceled) {
		e.told.add(s.err, due, time.Now())
	}
	var no *refused
	switch {
	case s.err == nil, errors.Is(s.err, context.Canceled):
	case s.first > 0:
		e.broken.Add(1)
	case errors.As(s.err, &no) && no.status == http.StatusServiceUnavailable && no.code == "no_capacity":
		e.refused.Add(1)
	default:
		e.failed.Add(1)
	}
}

func (e *ends) begin(fakes *providersAtHand) {
	e.before = fakes.broken()
	e.told.begin(time.Now())
}

// broken is how many streams the providers themselves broke or let fall silent after
// some tokens. By default no gateway mends that: what the client has seen cannot be taken
// back, and an answer that is cut is not passed off as a whole one.
func (p *providersAtHand) broken() (n int64) {
	for i := range p.all {
		for _, b := range p.all[i].Bill() {
			switch b.Fault {
			case fakeupstream.Truncated, fakeupstream.StallMidway, fakeupstream.ErrorMidway:
				if b.Usage.Output > 0 {
					n++
				}
			}
		}
	}
	return n
}

func (e *ends) judge(v *verdict, whole int64, fakes *providersAtHand) {
	broken, refused, failed := e.broken.Load(), e.refused.Load(), e.failed.Load()
	all := float64(max(1, whole+broken+refused+failed))
	v.add(float64(failed) <= all/1000, "streams that end with nothing although a provider is well", "at most 0.1 % of those whose client stays",
		"%d of %.0f: %.3f %%", failed, all, 100*float64(failed)/all)
	theirs := fakes.broken() - e.before
	v.add(broken <= theirs, "streams that break after their first content", "no more than the providers break", "%d, the providers broke %d", broken, theirs)
	v.add(float64(refused) <= all/100, "streams refused for want of room or processor", "at most 1 %, with the machine to itself",
		"%d: %.2f %%", refused, 100*float64(refused)/all)
	v.Notes = append(v.Notes, e.told.notes()...)
}
