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
type Repeats struct {
	books    *Committer
	find     func(ctx context.Context, key string, name [32]byte) (Repeat, bool, error)
	answered func(ctx context.Context, request string) (bool, error)

	mu      sync.Mutex
	running map[repeatID]Repeat
}

type repeatID struct {
	key  string
	name [32]byte
}

// NewRepeats keeps Idempotency-Keys in the books of a store.
func NewRepeats(books *Committer, s *Store) *Repeats {
	return &Repeats{books: books, find: s.Repeat, answered: s.Answered, running: map[repeatID]Repeat{}}
}

// Enter lets a request in that carries an Idempotency-Key, unless one with the same is
// running or was answered (kind Conflict), or the body is another (kind Invalid). A
// request that failed may be repeated. leave must be called when the request has ended.
func (r *Repeats) Enter(ctx context.Context, key, name string, body []byte, request string) (leave func(), err error) {
	now := Repeat{Key: key, Name: sha256.Sum256([]byte(name)), Body: sha256.Sum256(body), Request: request, At: time.Now()}
	id := repeatID{key, now.Name}
	r.mu.Lock()
	before, running := r.running[id]
	if !running {
		r.running[id] = now // nobody else gets past here while the books are asked
	}
	r.mu.Unlock()
	leave = func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, id)
	}
	if running {
		return nil, refuseRepeat(&before, &now, "is running")
	}
	if err := r.admit(ctx, &now); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func (r *Repeats) admit(ctx context.Context, now *Repeat) error {
	before, has, err := r.find(ctx, now.Key, now.Name)
	if err != nil {
		return ledgerDown(err)
	}
	if has && now.At.Sub(before.At) < repeatLife {
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
	}
	done := make(chan error, 1)
	r.books.put(item{record: now.frame(), repeat: now, done: func(err error) { done <- err }})
	if err := <-done; err != nil {
		return ledgerDown(err)
	}
	return nil
}

func refuseRepeat(before, now *Repeat, state string) error {
	if before.Body != now.Body {
		e := gateway.Errorf(gateway.Invalid, "this Idempotency-Key came with another body, as request %s", before.Request)
		e.Param = "Idempotency-Key"
		return e
	}
	return gateway.Errorf(gateway.Conflict, "the request with this Idempotency-Key %s: it is %s, see /v1/requests/%s", state, before.Request, before.Request)
}

// Repeat reads what an Idempotency-Key stands for.
func (s *Store) Repeat(ctx context.Context, key string, name [32]byte) (r Repeat, known bool, err error) {
	if err := s.upToDate(ctx); err != nil {
		return r, false, err
	}
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

// Answered says whether a request was answered whole.
func (s *Store) Answered(ctx context.Context, request string) (bool, error) {
	rows, err := s.Request(ctx, request)
	for i := range rows {
		if rows[i].Winner && rows[i].Outcome == "ok" {
			return true, err
		}
	}
	return false, err
}
