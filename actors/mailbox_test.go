package actors

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
)

// invoked is what an actor's context does with messages.
type invoked struct {
	user    func(any)
	system  []any
	failed  []any
	escapes func(reason any)
}

func (i *invoked) InvokeUserMessage(m any)   { i.user(m) }
func (i *invoked) InvokeSystemMessage(m any) { i.system = append(i.system, m) }
func (i *invoked) EscalateFailure(reason, m any) {
	i.failed = append(i.failed, m)
	if i.escapes != nil {
		i.escapes(reason)
	}
}

// apart runs what is scheduled when it is told to.
type apart struct{ later []func() }

func (a *apart) Schedule(run func()) { a.later = append(a.later, run) }
func (a *apart) Throughput() int     { return 300 }

// Who sends to an actor at rest has been served when it goes on; what the actor sends to
// itself meanwhile comes after.
func TestASenderRunsAnActorAtRest(t *testing.T) {
	var m mailbox
	var got []int
	in := &invoked{user: func(x any) {
		got = append(got, x.(int))
		if x.(int) == 1 {
			m.PostUserMessage(2)
			got = append(got, -1)
		}
	}}
	d := &apart{}
	m.RegisterHandlers(in, d)
	m.PostUserMessage(1)
	if want := []int{1, -1, 2}; !slices.Equal(got, want) || len(d.later) > 0 || m.UserMessageCount() != 0 {
		t.Errorf("%v, %d handed over, %d left; want %v", got, len(d.later), m.UserMessageCount(), want)
	}
}

// Nobody is kept by what others send: after a stint a worker goes on.
func TestASenderIsKeptForAStint(t *testing.T) {
	var m mailbox
	n := 0
	in := &invoked{user: func(any) {
		if n++; n < 100 {
			m.PostUserMessage(n)
		}
	}}
	d := &apart{}
	m.RegisterHandlers(in, d)
	m.PostUserMessage(0)
	if n != stint || len(d.later) != 1 {
		t.Fatalf("%d messages, %d handed over; want %d and 1", n, len(d.later), stint)
	}
	m.PostUserMessage("while a worker is on its way")
	if n != stint {
		t.Error("two ran the actor at once")
	}
	for len(d.later) > 0 {
		run := d.later[0]
		d.later = d.later[1:]
		run()
	}
	if n != 101 {
		t.Errorf("%d messages, want 101", n)
	}
}

// A panic does not reach who sent, and the supervisor decides before anything else is
// handled, as with Proto.Actor's own mailbox.
func TestAPanicIsTheSupervisors(t *testing.T) {
	var m mailbox
	var got []any
	in := &invoked{user: func(x any) {
		if x == "bad" {
			panic(x)
		}
		got = append(got, x)
	}}
	in.escapes = func(any) { m.PostSystemMessage(&actor.SuspendMailbox{}) }
	m.RegisterHandlers(in, &apart{})
	m.PostUserMessage("bad")
	m.PostUserMessage("good")
	if len(in.failed) != 1 || len(got) != 0 {
		t.Fatalf("failed %v, handled %v", in.failed, got)
	}
	m.PostSystemMessage("restart")
	m.PostSystemMessage(&actor.ResumeMailbox{})
	if !slices.Equal(got, []any{"good"}) || !slices.Equal(in.system, []any{"restart"}) {
		t.Errorf("handled %v and %v", got, in.system)
	}
}

// Every message is handled once, each sender's in order, by one goroutine at a time.
func TestManySendersOneAtATime(t *testing.T) {
	const senders, each = 8, 2000
	var m mailbox
	var inside atomic.Int32
	var last [senders]int
	var done sync.WaitGroup
	done.Add(senders * each)
	in := &invoked{user: func(x any) {
		if inside.Add(1) > 1 {
			t.Error("two at once")
		}
		of := x.([2]int)
		if of[1] != last[of[0]]+1 {
			t.Errorf("sender %d: %d after %d", of[0], of[1], last[of[0]])
		}
		last[of[0]] = of[1]
		inside.Add(-1)
		done.Done()
	}}
	var w workers
	defer w.end()
	m.RegisterHandlers(in, &w)
	for s := range senders {
		go func() { // ends when all is sent
			for i := range each {
				m.PostUserMessage([2]int{s, i + 1})
			}
		}()
	}
	done.Wait()
}

func TestFifoKeepsOrderAndLittleMemory(t *testing.T) {
	var q fifo
	next, want := 0, 0
	for round := range 3000 {
		for range round % 7 {
			q.push(next)
			next++
		}
		for range round % 6 {
			if x := q.pop(); x != nil {
				if x.(int) != want {
					t.Fatalf("%v, want %d", x, want)
				}
				want++
			}
		}
	}
	for x := q.pop(); x != nil; x = q.pop() {
		want++
	}
	if want != next || q.len() != 0 || cap(q.items) > fifoKept {
		t.Errorf("%d of %d, %d left, room for %d", want, next, q.len(), cap(q.items))
	}
}
