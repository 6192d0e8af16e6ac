package breaker

import "slices"

// Queue holds what waits for room, fair by key: deficit round robin, so that one key
// with hundreds waiting does not delay another's few. A plain cap per key leaves its
// p99 wait thirty times longer. Source: routing reference section 5.
// It is not safe for concurrent use.
type Queue[T any] struct {
	lanes []*lane[T] // keys with something waiting, in turn
	byKey map[string]*lane[T]
	n     int
}

type lane[T any] struct {
	key     string
	items   []queued[T]
	deficit int
}

type queued[T any] struct {
	cost int
	v    T
}

// Limits of a queue.
const (
	laneMost  = 64   // waiting per key for a place
	timeMost  = 1024 // and for a time to come, at which all of them may leave at once
	queueMost = 4096 // waiting in all
	quantum   = 1024 // tokens a key may send per turn
)

// Len is how many wait.
func (q *Queue[T]) Len() int { return q.n }

// Push lets v wait as the last of its key. cost is its size in tokens; forTime says that
// a time is waited for, which comes for all, and not a place, which comes for one after the
// other. False: no room.
func (q *Queue[T]) Push(key string, cost int, v T, forTime bool) bool {
	most := laneMost
	if forTime {
		most = timeMost
	}
	if q.n >= queueMost {
		return false
	}
	if q.byKey == nil {
		q.byKey = map[string]*lane[T]{}
	}
	l := q.byKey[key]
	if l == nil {
		l = &lane[T]{key: key}
		q.byKey[key] = l
		q.lanes = append(q.lanes, l)
	}
	if key != "" && len(l.items) >= most { // without keys nobody can crowd out another
		return false
	}
	l.items = append(l.items, queued[T]{max(cost, 1), v})
	q.n++
	return true
}

// Next is the one whose turn it is; it stays in the queue until Take.
func (q *Queue[T]) Next() (v T, ok bool) {
	if q.n == 0 {
		return v, false
	}
	for q.lanes[0].deficit < q.lanes[0].items[0].cost {
		l := q.lanes[0]
		l.deficit += quantum
		if l.deficit < l.items[0].cost {
			q.lanes = append(q.lanes[1:], l)
		}
	}
	return q.lanes[0].items[0].v, true
}

// Take removes what Next returned.
func (q *Queue[T]) Take() {
	l := q.lanes[0]
	l.deficit -= l.items[0].cost
	l.items = l.items[1:]
	q.n--
	if len(l.items) == 0 {
		delete(q.byKey, l.key)
		q.lanes = q.lanes[1:]
		return
	}
	if l.deficit < l.items[0].cost {
		q.lanes = append(q.lanes[1:], l)
	}
}

// Drop removes one that does not wait any more.
func (q *Queue[T]) Drop(key string, is func(T) bool) {
	l := q.byKey[key]
	if l == nil {
		return
	}
	i := slices.IndexFunc(l.items, func(x queued[T]) bool { return is(x.v) })
	if i < 0 {
		return
	}
	l.items = slices.Delete(l.items, i, i+1)
	if q.n--; len(l.items) == 0 {
		delete(q.byKey, key)
		q.lanes = slices.DeleteFunc(q.lanes, func(o *lane[T]) bool { return o == l })
	}
}
