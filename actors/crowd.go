package actors

import (
	"context"
	"sync"

	"gateway"
)

// crowd knows the requests in flight by the key and the run that they belong to, so
// that a key that is revoked or a run that is stopped ends at once, streams included.
type crowd struct {
	mu    sync.Mutex
	byKey map[string]map[*job]context.CancelCauseFunc
}

// join has EndKey and EndRun end the job's context, which is its request's own where that
// can be ended.
func (c *crowd) join(j *job) {
	if j.req.Key == "" && j.req.Run == "" {
		return
	}
	cancel := j.req.End
	if cancel == nil {
		j.ctx, cancel = context.WithCancelCause(j.ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey = map[string]map[*job]context.CancelCauseFunc{}
	}
	jobs := c.byKey[j.req.Key]
	if jobs == nil {
		jobs = map[*job]context.CancelCauseFunc{}
		c.byKey[j.req.Key] = jobs
	}
	jobs[j] = cancel
}

// leave forgets the job. It may be called more than once.
func (c *crowd) leave(j *job) {
	if j.req.Key == "" && j.req.Run == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	jobs := c.byKey[j.req.Key]
	if cancel := jobs[j]; cancel != nil && j.req.End == nil { // what is not ours is ended by its owner
		cancel(nil)
	}
	if delete(jobs, j); len(jobs) == 0 {
		delete(c.byKey, j.req.Key)
	}
}

// end ends the jobs of a key, or those of one run of it.
func (c *crowd) end(key, run string, err *gateway.Error) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for j, cancel := range c.byKey[key] {
		if run == "" || j.req.Run == run {
			cancel(err)
			n++
		}
	}
	return n
}

// EndKey ends the requests in flight of a key, streams included: their clients are told
// err, their attempts are cut and booked. It says how many there were, and does not wait.
func (s *System) EndKey(key string, err *gateway.Error) int { return s.crowd.end(key, "", err) }

// EndRun is EndKey for one run of a key. The empty run ends nothing.
func (s *System) EndRun(key, run string, err *gateway.Error) int {
	if run == "" {
		return 0
	}
	return s.crowd.end(key, run, err)
}
