package main

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// timeline is what happened when: answers, failures and latency in slices of equal
// length. A nil timeline keeps nothing. It is guarded by the report that holds it.
type timeline struct {
	begun  time.Time
	width  time.Duration
	slices []slice
}

// slice is one part of a run. A call belongs to the slice in which it ended.
type slice struct {
	ok, failed int64
	whole      *hdrhistogram.Histogram // of two digits; nil until something was answered
}

// mostSlices bounds the memory of a run of any length.
const mostSlices = 300

func newTimeline(length time.Duration) *timeline {
	return &timeline{begun: time.Now(), width: max(time.Second, length/mostSlices)}
}

func (l *timeline) add(s sample) {
	if l == nil {
		return
	}
	// What ends after the run's length is in the slices after it, up to as many again.
	at := min(int(time.Since(l.begun)/l.width), 2*mostSlices)
	for len(l.slices) <= at {
		l.slices = append(l.slices, slice{})
	}
	one := &l.slices[at]
	if s.err != nil {
		one.failed++
		return
	}
	one.ok++
	if one.whole == nil {
		one.whole = newHistogram(2)
	}
	record(one.whole, s.whole)
}
