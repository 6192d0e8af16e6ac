package actors

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox is the queue of an actor. Whoever sends to an actor that is at rest runs it at
// once, in its own goroutine: a hand-over to another one costs more than what an actor
// does with most messages, and who sends has as a rule nothing to do before the answer. One
// that runs is left to who runs it, who hands it to a worker after stint messages: nobody
// is kept for long by what others send. It knows no batches of messages.
type mailbox struct {
	invoker    actor.MessageInvoker
	dispatcher actor.Dispatcher

	mu        sync.Mutex
	user      fifo
	system    fifo // come first, and to a suspended actor too
	running   bool
	suspended bool // after a failure, until its supervisor has decided; by who runs it
}

// stint is how many messages a sender handles: more than a request has need of, and less
// than 100 µs of work.
const stint = 16

func newMailbox() actor.Mailbox { return &mailbox{} }

// RegisterHandlers implements actor.Mailbox.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, dispatcher actor.Dispatcher) {
	m.invoker, m.dispatcher = invoker, dispatcher
}

// Start implements actor.Mailbox.
func (m *mailbox) Start() {}

// UserMessageCount implements actor.Mailbox.
func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.user.len()
}

// PostUserMessage implements actor.Mailbox.
func (m *mailbox) PostUserMessage(message any) { m.post(&m.user, message) }

// PostSystemMessage implements actor.Mailbox.
func (m *mailbox) PostSystemMessage(message any) { m.post(&m.system, message) }

func (m *mailbox) post(to *fifo, message any) {
	m.mu.Lock()
	to.push(message)
	if m.running {
		m.mu.Unlock()
		return
	}
	m.running = true
	m.mu.Unlock()
	m.run()
}

// run handles messages until there is none, or it has been at it for long enough.
func (m *mailbox) run() {
	for range stint {
		message, system := m.next()
		if message == nil {
			return
		}
		m.handle(message, system)
	}
	m.dispatcher.Schedule(m.run)
}

// next is nil when the actor may rest.
func (m *mailbox) next() (message any, system bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if message = m.system.pop(); message != nil {
		return message, true
	}
	if !m.suspended {
		message = m.user.pop()
	}
	m.running = message != nil
	return message, false
}

// handle gives one message to the actor. What panics in it is its supervisor's to decide.
func (m *mailbox) handle(message any, system bool) {
	defer func() {
		if reason := recover(); reason != nil {
			m.invoker.EscalateFailure(reason, message)
		}
	}()
	if !system {
		m.invoker.InvokeUserMessage(message)
		return
	}
	switch message.(type) {
	case *actor.SuspendMailbox:
		m.suspended = true
	case *actor.ResumeMailbox:
		m.suspended = false
	default:
		m.invoker.InvokeSystemMessage(message)
	}
}

// fifo is a queue that keeps its memory, up to a bound.
type fifo struct {
	items []any
	at    int // of the next
}

// fifoKept is how many places an empty queue keeps.
const fifoKept = 1024

func (q *fifo) len() int { return len(q.items) - q.at }

func (q *fifo) push(item any) {
	if len(q.items) == cap(q.items) && 2*q.at > len(q.items) { // most of it is free: nothing need grow
		n := copy(q.items, q.items[q.at:])
		clear(q.items[n:])
		q.items, q.at = q.items[:n], 0
	}
	q.items = append(q.items, item)
}

// pop is nil when there is nothing.
func (q *fifo) pop() any {
	if q.at == len(q.items) {
		return nil
	}
	item := q.items[q.at]
	q.items[q.at] = nil
	if q.at++; q.at == len(q.items) {
		q.items, q.at = q.items[:0], 0
		if cap(q.items) > fifoKept {
			q.items = nil
		}
	}
	return item
}
