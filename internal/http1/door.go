package http1

// asks asks the server's door whether the request that has begun to come may come in. If it is
// true the request has to wait, and the connection is not the caller's any more: Called gives
// it to a goroutine again. Otherwise inside tells.
func (c *conn) asks() (waits bool) {
	if c.server.Door == nil {
		c.inside = true
		return false
	}
	in, now := c.server.Door(c)
	if now {
		c.inside = in
		return false
	}
	c.server.crew.waits()
	return true
}

// leave tells that what the door let in is over, whether it became a request or not.
func (c *conn) leave() {
	if c.inside && c.server.Left != nil {
		c.server.Left()
	}
	c.inside = false
}

// Begun copies what has come of a request. It stays with the system, so that a request that
// waits holds no buffer.
func (c *conn) Begun(into []byte) int {
	if c.in == nil {
		n := 0
		_ = c.raw.Read(func(fd uintptr) bool { // an error shows when the request is read
			n, _ = peek(fd, into)
			return true
		})
		if n >= beginning || !c.kept {
			return max(n, 0)
		}
	}
	c.within(c.server.HeadTimeout)
	if !c.begins() {
		c.gone.Store(true) // who closes the connection behind a request, mostly
	}
	if !c.within(0) {
		c.due.Store(overdue) // which is seen then, too
	}
	head, _ := c.in.Peek(c.in.Buffered())
	return copy(into, head)
}

// Gone says that the client has left, or closed its side.
func (c *conn) Gone() bool { return c.gone.Load() }

// Called ends the wait at the door.
func (c *conn) Called(in bool) {
	c.called, c.inside = true, in
	c.server.crew.call(c)
}
