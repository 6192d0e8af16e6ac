package api

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

// retryNoRoom is what Retry-After says to who was refused for want of room: long enough
// to matter, short enough that the room is not empty by then.
const retryNoRoom = time.Second

// admit lets a request in if there is room for it, before any of its body is read: a
// client that asked with Expect: 100-continue need not send it at all.
func (s *Server) admit(c *gin.Context) {
	ev := event(c)
	ev.hold.budget = s.budget
	weight := int64(requestWeight)
	if n := c.Request.ContentLength; n > 0 && n <= s.cfg.BodyLimit { // over it none is read
		weight += bodyWeight * n
	}
	if !ev.hold.grow(weight) {
		s.refuse(c, &s.refusals.memory)
	}
}

// refuse answers that there is no room. These requests have no log line each: in an
// overload the log would be the next thing to be overloaded.
func (s *Server) refuse(c *gin.Context, count *atomic.Int64) {
	event(c).quiet = true
	s.refusals.note(s, count)
	s.fail(c, noRoom())
}

// refusals counts who was not let in, and says so in the log once a second.
type refusals struct {
	overload, memory atomic.Int64

	mu           sync.Mutex
	said         time.Time
	saidOverload int64
	saidMemory   int64
}

func (r *refusals) note(s *Server, count *atomic.Int64) {
	count.Add(1)
	if !r.mu.TryLock() { // somebody else is saying it
		return
	}
	defer r.mu.Unlock()
	if time.Since(r.said) < time.Second {
		return
	}
	r.said = time.Now()
	overload, memory := r.overload.Load(), r.memory.Load()
	s.log.Warn("requests refused for want of room", "overload", overload-r.saidOverload, "memory", memory-r.saidMemory)
	r.saidOverload, r.saidMemory = overload, memory
}

// Room is how much the edge has taken in, and what it refused since it began.
type Room struct {
	Held            int64 `json:"held_bytes"`   // by requests, as they are weighed
	Budget          int64 `json:"budget_bytes"` // 0: no limit
	RefusedMemory   int64 `json:"refused_memory"`
	RefusedOverload int64 `json:"refused_overload"`
	// Waiting is how many requests wait to be read because the machine has too much to do.
	Waiting int `json:"waiting"`
}

// Room tells how full the edge is.
func (s *Server) Room() Room {
	room := Room{RefusedMemory: s.refusals.memory.Load(), RefusedOverload: s.refusals.overload.Load(), Waiting: s.door.waits()}
	if s.budget != nil {
		room.Held, room.Budget = s.budget.used.Load(), s.budget.limit
	}
	return room
}
