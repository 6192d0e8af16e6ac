package actors

import (
	"strings"
	"time"

	"gateway"
)

// line holds the attempts that wait for room in their budgets. Those of one path are
// served in order; between paths it goes round by key, so that one key with hundreds
// waiting does not make the others of its team wait behind them all.
type line struct {
	queues map[string]*waiters // by path
	seen   map[string]int      // of a key: the round that its newest waiter has
	round  int                 // that is being served
	len    int
}

// waiters are the attempts of one path, in order.
type waiters struct {
	list    []*attempt
	lacking string // the account that the first one lacks room in
}

func pathOf(accounts []gateway.Account) string {
	var b strings.Builder
	for i := range accounts {
		b.WriteString(accounts[i].ID)
		b.WriteByte(0)
	}
	return b.String()
}

// blocks says whether somebody waits for an account on this path: a newcomer does not
// pass those that wait for the same room.
func (l *line) blocks(path []gateway.Account) bool {
	if l.len == 0 {
		return false
	}
	for _, q := range l.queues {
		for i := range path {
			if path[i].ID == q.lacking {
				return true
			}
		}
	}
	return false
}

func (l *line) push(a *attempt, lacking string) {
	if l.queues == nil {
		l.queues, l.seen = map[string]*waiters{}, map[string]int{}
	}
	path := pathOf(a.job.req.Accounts)
	q := l.queues[path]
	if q == nil {
		q = &waiters{lacking: lacking}
		l.queues[path] = q
	}
	key := a.job.req.Key
	l.seen[key] = max(l.round, l.seen[key]) + 1
	a.round = l.seen[key]
	q.list = append(q.list, a)
	l.len++
}

// remove takes an attempt out; false if it does not wait.
func (l *line) remove(a *attempt) bool {
	path := pathOf(a.job.req.Accounts)
	q := l.queues[path]
	if q == nil {
		return false
	}
	for i := range q.list {
		if q.list[i] == a {
			q.list = append(q.list[:i], q.list[i+1:]...)
			l.shrunk(path, q)
			return true
		}
	}
	return false
}

func (l *line) shrunk(path string, q *waiters) {
	if l.len--; len(q.list) == 0 {
		delete(l.queues, path)
	}
	if l.len == 0 {
		clear(l.seen)
		l.round = 0
	}
}

// next is the first attempt of the path whose turn it is, of those that lack no account
// in blocked.
func (l *line) next(blocked map[string]bool) (*attempt, *waiters) {
	var first *waiters
	for _, q := range l.queues {
		if (first == nil || q.list[0].round < first.list[0].round) && !stands(q.list[0], blocked) {
			first = q
		}
	}
	if first == nil {
		return nil, nil
	}
	return first.list[0], first
}

func stands(a *attempt, blocked map[string]bool) bool {
	for i := range a.job.req.Accounts {
		if blocked[a.job.req.Accounts[i].ID] {
			return true
		}
	}
	return false
}

// holdWait is the longest that an attempt waits for room in its budgets. Source: routing
// reference section 6.
const holdWait = 10 * time.Second
