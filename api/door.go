package api

import (
	"net/http"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// door keeps the machine from being given more than it can do. While it has plenty of ready
// work, requests wait outside, unread, where they cost no more than an idle connection; they
// come in as that work gets less and as others end, one of each key after the other, so that
// a key that floods makes its own requests wait. Who has waited for as long as patience is
// late and does not come in any more. A nil door lets everything in.
type door struct {
	patience time.Duration
	runnable func() int   // how many goroutines are ready and do not run
	ended    atomic.Int64 // of those that came in, since the last look

	mu     sync.Mutex
	looked time.Time
	swept  time.Time
	room   int // requests that may come in until the next look
	lines  lines
	late   queue
	begun  time.Time // since when somebody has waited without a break
	shut   bool      // nobody waits: who does not get in at once is sent away
	timer  *time.Timer
}

const (
	// doorEvery is how often the door looks, so long as somebody asks or waits.
	doorEvery = 2 * time.Millisecond
	// doorReady is how many goroutines may be ready for each processor: some milliseconds of
	// work, enough to keep it busy until the next look. Measured with `bench overload`: with
	// 32 less was answered where a line stands, and more than 64 takes longer inside.
	doorReady = 64
	// doorLatest is the patience, times which at the latest somebody hears that he is late.
	// Saying so costs a third of an answer, so it waits for a moment without much to do:
	// said at once to all, it would take the time that answers need.
	doorLatest = 3
	// doorSweep is how often those are looked for who are late or have left.
	doorSweep = 200 * time.Millisecond
	// doorStands is how long somebody must have waited without a break for a line to stand: a
	// burst of some thousands is over by then.
	doorStands = time.Second
	// doorLeast is how many more than end may come in at each look for each processor where
	// a line stands and there is time: nothing ends before the first provider has answered.
	// It comes to a thousand a second, a fifth of what a processor serves.
	doorLeast = 2
)

// runnableMetric is how many goroutines are ready and do not run.
const runnableMetric = "/sched/goroutines/runnable:goroutines"

// newDoor makes one at which nobody who is let in has waited longer than patience; nil for
// no patience.
func newDoor(patience time.Duration) *door {
	if patience <= 0 {
		return nil
	}
	sample := []metrics.Sample{{Name: runnableMetric}}
	return &door{patience: patience, lines: newLines(), runnable: func() int {
		metrics.Read(sample)
		if sample[0].Value.Kind() != metrics.KindUint64 {
			return 0 // this Go does not tell
		}
		return int(sample[0].Value.Uint64())
	}}
}

// enter says whether a request may come in. If that is not to be said now, it is called
// later, once. whose tells the line that it waits in.
func (d *door) enter(v Visitor, whose func(head []byte) string) (in, now bool) {
	if d == nil {
		return true, true
	}
	d.mu.Lock()
	d.look(time.Now())
	in, waits := d.room > 0, d.waiting() > 0 || d.room <= 0
	if !waits || d.shut {
		d.room--
		d.mu.Unlock()
		return in, true
	}
	d.mu.Unlock()
	key := lineOf(v, whose)
	if v.Gone() {
		return false, true
	}
	return false, !d.wait(key, turn{v, time.Now()}) // what comes slowly took a while until here
}

// heads are buffers for the beginnings of requests.
var heads = sync.Pool{New: func() any { return new([4 << 10]byte) }}

func lineOf(v Visitor, whose func(head []byte) string) string {
	head := heads.Get().(*[4 << 10]byte)
	defer heads.Put(head)
	return whose(head[:v.Begun(head[:])])
}

// wait puts a request at the end of its line; false if nobody waits any more.
func (d *door) wait(key string, t turn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return false
	}
	if d.waiting() == 0 {
		d.begun = t.since
		d.wake()
	}
	d.lines.join(key, t)
	return true
}

// wake has the door look in a while, and again until nobody waits.
func (d *door) wake() {
	if d.timer != nil {
		d.timer.Reset(doorEvery)
		return
	}
	d.timer = time.AfterFunc(doorEvery, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.look(time.Now()); d.waiting() > 0 {
			d.wake()
		}
	})
}

// look finds out how many may come in, and lets in or sends away who waits.
func (d *door) look(now time.Time) {
	if now.Sub(d.looked) < doorEvery {
		return
	}
	d.looked = now
	d.room = d.roomFor(now, int(d.ended.Swap(0)))
	if d.waiting() > 0 && now.Sub(d.swept) >= doorSweep {
		d.swept = now
		d.lines.sweep(func(t turn) bool { return d.over(t, now) })
		d.late.sweep(hasLeft)
	}
	d.let(now)
	for len(d.late.turns) > 0 && (d.room > 0 || now.Sub(d.late.turns[0].since) > doorLatest*d.patience) {
		d.turnAway(d.late.pop())
	}
}

// roomFor is how many may come in until the next look, since so many ended. A burst comes in
// as fast as there is time for it. Where a line stands, that is not enough to go by: a
// request's work comes in two parts, and the second one only when its provider has answered.
// So what is inside then grows to the double at most in the time that a request takes, however
// little there is to do just now, and stays as much where there is too much. It does not get
// less: many inside share what a few pay each, such as a flush of the books (`bench overload`).
func (d *door) roomFor(now time.Time, ended int) int {
	processors := runtime.GOMAXPROCS(0)
	free := doorReady*processors - d.runnable()
	stands := d.waiting() > 0 && now.Sub(d.begun) > doorStands
	switch {
	case !stands:
		return max(0, free)
	case free > 0:
		return min(free, 2*ended+doorLeast*processors)
	}
	return ended
}

// let gives the room to who waits, and lets in one who looks after the gateway's health
// without any.
func (d *door) let(now time.Time) {
	if t, ok := d.lines.first(healthLine); ok && !d.over(t, now) {
		t.visitor.Called(true)
	}
	for d.room > 0 {
		t, ok := d.lines.next()
		if !ok {
			return
		}
		if !d.over(t, now) {
			d.room--
			t.visitor.Called(true)
		}
	}
}

// over is true of a turn whose client has left, or that is too late, and deals with it.
func (d *door) over(t turn, now time.Time) bool {
	switch {
	case hasLeft(t):
	case now.Sub(t.since) > d.patience:
		d.late.push(t)
	default:
		return false
	}
	return true
}

// hasLeft sends a turn away whose client has left.
func hasLeft(t turn) bool {
	gone := t.visitor.Gone()
	if gone {
		t.visitor.Called(false)
	}
	return gone
}

func (d *door) turnAway(t turn) {
	d.room = max(0, d.room-1)
	t.visitor.Called(false)
}

// waiting is how many wait.
func (d *door) waiting() int { return d.lines.waiting + len(d.late.turns) }

// close sends away all who wait. From then on nobody waits.
func (d *door) close() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
	for t, ok := d.lines.next(); ok; t, ok = d.lines.next() {
		t.visitor.Called(false)
	}
	for len(d.late.turns) > 0 {
		d.turnAway(d.late.pop())
	}
}

// out says that a request that came in has ended.
func (d *door) out() {
	if d != nil {
		d.ended.Add(1)
	}
}

// waits is how many wait now.
func (d *door) waits() int {
	if d == nil {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting()
}

// Visitor is a request that has begun to come.
type Visitor interface {
	// Begun copies what has come of it by now, and says how much that is.
	Begun(into []byte) int
	// Gone says that its client has left.
	Gone() bool
	// Called tells one who had to wait whether it may come in. It must not wait.
	Called(in bool)
}

// Enter says whether a request may come in, if that can be said now. While the machine has
// more to do than it can, it has to wait, and is called later. What was not let in is answered
// by Refused.
func (s *Server) Enter(v Visitor) (in, now bool) { return s.door.enter(v, s.whose) }

// Left says that what Enter let in is over.
func (s *Server) Left() { s.door.out() }

// Refused answers a request that was not let in, as Enter found.
func (s *Server) Refused(w http.ResponseWriter, r *http.Request) { s.away.ServeHTTP(w, r) }
