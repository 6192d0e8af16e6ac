package ledger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"gateway"
)

// Repeats keep a client from paying twice for one request that it sent twice: an
// Idempotency-Key stands for the request that first came with it, for 24 hours.
//
// Answers are not kept, since no answer is ever written to a disk here: who repeats a
// request that was answered is told so, and under which id, and pays nothing.
//
// What the store does not have yet is here: so it is known while the store is behind too,
// and the store need not be waited for.
type Repeats struct {
	books    *Committer
	find     func(ctx context.Context, key string, name [32]byte) (Repeat, bool, error)
	answered func(ctx context.Context, request string) (bool, error)

	mu        sync.Mutex
	recent    map[repeatID]*repeatHere
	byRequest map[string]*repeatHere
}

type repeatID struct {
	key  string
	name [32]byte
}

// repeatHere is a repeat in memory. It stays while its request runs, and until the store
// has it and the row of its answer.
type repeatHere struct {
	Repeat
	running  bool
	answered bool
	lacks    int // of its record and the row of its answer, those that the store lacks
}

// NewRepeats keeps Idempotency-Keys in the books of a store. There is one for the books.
func NewRepeats(books *Committer, s *Store) *Repeats {
	r := &Repeats{books: books, find: s.Repeat, answered: s.Answered, recent: map[repeatID]*repeatHere{}, byRequest: map[string]*repeatHere{}}
	books.repeats.Store(r)
	return r
}

// Enter lets a request in that carries an Idempotency-Key, unless one with the same is
// running or was answered (kind Conflict), or the body is another (kind Invalid). A
// request that failed may be repeated. leave must be called when the request has ended.
func (r *Repeats) Enter(ctx context.Context, key, name string, body []byte, request string) (leave func(), err error) {
	now := &repeatHere{Repeat: Repeat{Key: key, Name: sha256.Sum256([]byte(name)), Body: sha256.Sum256(body), Request: request, At: time.Now()}, running: true}
	id := repeatID{key, now.Name}
	before, err := r.begin(id, now)
	if err != nil {
		return nil, err
	}
	if before == nil {
		err = r.admit(ctx, &now.Repeat)
	}
	if err == nil {
		err = r.record(now)
	}
	if err != nil { // nothing was asked of anybody: what stood for the key before still does
		r.restore(id, now, before)
		return nil, err
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		now.running = false
		r.forget(id, now)
	}, nil
}

// begin takes the place of a key, so that nobody else gets past here while the books are
// asked, and gives what is in memory of an earlier request.
func (r *Repeats) begin(id repeatID, now *repeatHere) (before *repeatHere, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before = r.recent[id]
	switch {
	case before == nil:
	case before.running:
		return nil, refuseRepeat(&before.Repeat, &now.Repeat, "is running")
	case now.At.Sub(before.At) >= repeatLife:
	case before.answered || before.Body != now.Body:
		return nil, refuseRepeat(&before.Repeat, &now.Repeat, "was answered")
	}
	r.recent[id], r.byRequest[now.Request] = now, now
	if before != nil {
		delete(r.byRequest, before.Request)
	}
	return before, nil
}

func (r *Repeats) restore(id repeatID, now, before *repeatHere) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.recent, id)
	delete(r.byRequest, now.Request)
	if before != nil {
		r.recent[id], r.byRequest[before.Request] = before, before
		r.forget(id, before) // if the store has it by now
	}
}

// forget drops a repeat that is not needed any more. The lock is held.
func (r *Repeats) forget(id repeatID, it *repeatHere) {
	if !it.running && it.lacks == 0 && r.recent[id] == it {
		delete(r.recent, id)
		delete(r.byRequest, it.Request)
	}
}

// admit asks the store, where what is not in memory is.
func (r *Repeats) admit(ctx context.Context, now *Repeat) error {
	before, has, err := r.find(ctx, now.Key, now.Name)
	if err != nil {
		return ledgerDown(err)
	}
	if !has || now.At.Sub(before.At) >= repeatLife {
		return nil
	}
	if before.Body != now.Body {
		return refuseRepeat(&before, now, "")
	}
	answered, err := r.answered(ctx, before.Request)
	if err != nil {
		return ledgerDown(err)
	}
	if answered {
		return refuseRepeat(&before, now, "was answered")
	}
	return nil
}

// record waits until a repeat is durable.
func (r *Repeats) record(now *repeatHere) error {
	r.mu.Lock()
	now.lacks++
	r.mu.Unlock()
	done := make(chan error, 1)
	r.books.put(item{record: now.frame(), repeat: &now.Repeat, done: func(err error) { done <- err }, over: func() { r.filed(now) }})
	if err := <-done; err != nil {
		return ledgerDown(err)
	}
	return nil
}

func (r *Repeats) filed(it *repeatHere) {
	r.mu.Lock()
	defer r.mu.Unlock()
	it.lacks--
	r.forget(repeatID{it.Key, it.Name}, it)
}

// row hears of each row before it is written; it gives what is to be called when that is
// in the store, or nil.
func (r *Repeats) row(e *gateway.Entry) (over func()) {
	if !answers(e) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	it := r.byRequest[e.Request]
	if it == nil {
		return nil
	}
	it.answered = true
	it.lacks++
	return func() { r.filed(it) }
}

// answers says whether a row is that of an answer which a client has got whole.
func answers(e *gateway.Entry) bool { return e.Winner && e.Outcome == "ok" }

func refuseRepeat(before, now *Repeat, state string) error {
	if before.Body != now.Body {
		e := gateway.Errorf(gateway.Invalid, "this Idempotency-Key came with another body, as request %s", before.Request)
		e.Param = "Idempotency-Key"
		return e
	}
	return gateway.Errorf(gateway.Conflict, "the request with this Idempotency-Key %s: it is %s, see /v1/requests/%s", state, before.Request, before.Request)
}

// Repeat reads what an Idempotency-Key stands for, as far as the store has come.
func (s *Store) Repeat(ctx context.Context, key string, name [32]byte) (r Repeat, known bool, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT body, request, at FROM repeats WHERE key = ? AND name = ?`, key, name[:])
	if err != nil {
		return r, false, fmt.Errorf("reading the ledger: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		var at int64
		if err := rows.Scan(&body, &r.Request, &at); err != nil {
			return r, false, fmt.Errorf("reading the ledger: %w", err)
		}
		r.Key, r.Name, r.At, known = key, name, unixNano(at), copy(r.Body[:], body) == len(r.Body)
	}
	return r, known, rows.Err()
}

// Answered says whether a request was answered whole, as far as the store has come.
func (s *Store) Answered(ctx context.Context, request string) (answered bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM attempts WHERE request = ? AND winner = 1 AND outcome = 'ok')`, request).Scan(&answered)
	if err != nil {
		return false, fmt.Errorf("reading the ledger: %w", err)
	}
	return answered, nil
}
