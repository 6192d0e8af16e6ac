package api

import "time"

// turn is a request that waits.
type turn struct {
	visitor Visitor
	since   time.Time
}

// lines are the requests that wait: for each key a line, first come first served, and turns
// between the keys. One goroutine at a time uses them.
type lines struct {
	byKey   map[string]*queue
	ring    []*queue // the same in the order of their turns; in some nobody may be left
	at      int      // whose turn it is
	waiting int
}

func newLines() lines { return lines{byKey: map[string]*queue{}} }

// queue is a line.
type queue struct {
	key   string
	turns []turn
}

func (q *queue) push(t turn) { q.turns = append(q.turns, t) }

func (q *queue) pop() turn {
	t := q.turns[0]
	q.turns[0] = turn{}
	q.turns = q.turns[1:]
	return t
}

// sweep takes out those that are over, and says how many.
func (q *queue) sweep(over func(turn) bool) int {
	kept := q.turns[:0]
	for _, t := range q.turns {
		if !over(t) {
			kept = append(kept, t)
		}
	}
	gone := len(q.turns) - len(kept)
	clear(q.turns[len(kept):])
	q.turns = kept
	return gone
}

// join puts a request at the end of its key's line.
func (l *lines) join(key string, t turn) {
	l.waiting++
	q := l.byKey[key]
	if q == nil {
		q = &queue{key: key}
		l.byKey[key], l.ring = q, append(l.ring, q)
	}
	q.push(t)
}

// next takes out whose turn it is; ok is false if nobody waits.
func (l *lines) next() (t turn, ok bool) {
	if l.waiting == 0 {
		return turn{}, false
	}
	for {
		if l.at >= len(l.ring) {
			l.compact()
		}
		q := l.ring[l.at]
		l.at++
		if len(q.turns) > 0 {
			l.waiting--
			return q.pop(), true
		}
	}
}

// first takes out the first of a key's line, without a turn; ok is false if nobody is there.
func (l *lines) first(key string) (t turn, ok bool) {
	q := l.byKey[key]
	if q == nil || len(q.turns) == 0 {
		return turn{}, false
	}
	l.waiting--
	return q.pop(), true
}

// compact leaves out the lines in which nobody is left, and begins a new round.
func (l *lines) compact() {
	kept := l.ring[:0]
	for _, q := range l.ring {
		if len(q.turns) > 0 {
			kept = append(kept, q)
		} else {
			delete(l.byKey, q.key)
		}
	}
	clear(l.ring[len(kept):])
	l.ring, l.at = kept, 0
}

// sweep takes out those that are over.
func (l *lines) sweep(over func(turn) bool) {
	for _, q := range l.ring {
		l.waiting -= q.sweep(over)
	}
}
