package api

import (
	"sync/atomic"

	"gateway"
)

// budget is the memory that requests may hold at once, in bytes. A request takes its
// part before its body is read, so that a crowd of large bodies is refused while it
// still costs nothing. A nil budget has no end.
type budget struct {
	limit int64
	used  atomic.Int64
}

// What a request costs besides its body: its goroutines, their buffers on both sides
// and the connection, as measured per open stream by `bench overload`.
const requestWeight = 48 << 10

// A body is held as it came, as it is sent on, and once more while a provider's own
// format is made of it.
const bodyWeight = 3

// largeRequest is what a request may weigh and still use the last part of the budget:
// one large body more or less is not worth a hundred small requests.
const largeRequest = 256 << 10

func newBudget(limit int64) *budget {
	if limit <= 0 {
		return nil
	}
	return &budget{limit: limit}
}

// take is false, and takes nothing, if there is no room for n more of a request that
// weighs all in all. The last eighth is for small requests.
func (b *budget) take(n, all int64) bool {
	limit := b.limit
	if all > largeRequest {
		limit -= limit / 8
	}
	if b.used.Add(n) <= limit {
		return true
	}
	b.used.Add(-n)
	return false
}

// hold is one request's part of a budget. Its zero value holds nothing of nothing.
// One goroutine uses it.
type hold struct {
	budget *budget
	held   int64
}

// grow takes so many bytes more. It takes nothing and is false if there is no room.
func (h *hold) grow(n int64) bool {
	if h.budget == nil || n <= 0 {
		return true
	}
	if !h.budget.take(n, h.held+n) {
		return false
	}
	h.held += n
	return true
}

// release gives everything back. It may be called again and does nothing then.
func (h *hold) release() {
	if h.budget != nil {
		h.budget.used.Add(-h.held)
	}
	h.held = 0
}

// noRoom is what a refused client hears. It is told to wait about as long as a short
// answer takes.
func noRoom() *gateway.Error {
	e := gateway.Errorf(gateway.NoCapacity, "no room")
	e.RetryAfter = retryNoRoom
	return e
}
