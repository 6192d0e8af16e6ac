package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// failures tells the streams that were not answered whole apart by what their clients were
// told, and keeps when that was: a second of many is another fault than one in a thousand
// at any time.
type failures struct {
	mu    sync.Mutex
	begun time.Time // of the incidents; zero in the warm-up
	all   map[string]*failure
}

// failure is what streams with the same end have in common.
type failure struct {
	answer      string
	n           int64
	first, last time.Duration // after the incidents began, below 0 in the warm-up
	took        time.Duration // all of them together, until they had failed
	minutes     map[int]int64 // how many in each
}

// warmUp is the time of what failed before the incidents began.
const warmUp = -time.Nanosecond

func (f *failures) begin(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun = now
}

func (f *failures) add(err error, due, now time.Time) {
	var no *refused
	answer := err.Error()
	if errors.As(err, &no) && no.tries != "" {
		answer += ": " + no.tries
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.all[answer]
	if one == nil && len(f.all) >= differentFailures {
		answer = "other"
		one = f.all[answer]
	}
	at := warmUp
	if !f.begun.IsZero() {
		at = now.Sub(f.begun)
	}
	if one == nil {
		if f.all == nil {
			f.all = map[string]*failure{}
		}
		one = &failure{answer: answer, first: at, minutes: map[int]int64{}}
		f.all[answer] = one
	}
	one.n++
	one.last = at
	one.took += now.Sub(due)
	if at >= 0 {
		one.minutes[int(at/time.Minute)]++
	}
}

// mostLines bounds how many different ends are printed; the others are rare.
const mostLines = 25

// notes are the lines of a table, the most frequent end first.
func (f *failures) notes() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) == 0 {
		return nil
	}
	var all []*failure
	for _, one := range f.all {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *failure) int { return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.answer, b.answer)) })
	lines := []string{"| streams not answered whole | what the client was told | after, in the mean | from | to | most in one minute |", "|---|---|---|---|---|---|"}
	for _, one := range all[:min(len(all), mostLines)] {
		worst, most := one.worst()
		lines = append(lines, fmt.Sprintf("| %d | %s | %s | %s | %s | %d in minute %d |", one.n, strings.ReplaceAll(one.answer, "|", "/"),
			(one.took/time.Duration(one.n)).Round(time.Millisecond), instant(one.first), instant(one.last), most, worst))
	}
	if len(all) > mostLines {
		lines = append(lines, fmt.Sprintf("| | %d more kinds, each of at most %d | | | | |", len(all)-mostLines, all[mostLines].n))
	}
	return lines
}

// worst is the minute with the most of them.
func (f *failure) worst() (minute int, most int64) {
	for m, n := range f.minutes {
		if n > most || n == most && m < minute {
			minute, most = m, n
		}
	}
	return minute, most
}

func instant(d time.Duration) string {
	if d < 0 {
		return "the warm-up"
	}
	return d.Round(time.Second).String()
}
