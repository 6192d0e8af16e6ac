package http1

// enter asks the server's door whether the request that has begun to come may come in, and
// waits as long as the door does. ok is false if the connection's time was over before, or
// if nobody is left to be told that it may not. The time for the head begins anew afterwards:
// its client is not late because of us.
func (c *conn) enter() (in, ok bool) {
	if c.server.Door == nil {
		return true, true
	}
	if !c.within(0) {
		return false, false
	}
	in = c.server.Door(c)
	c.inside = in
	return in, c.within(c.server.HeadTimeout) && (in || !c.Gone())
}

// leave tells that what the door let in is over, whether it became a request or not.
func (c *conn) leave() {
	if c.inside && c.server.Left != nil {
		c.server.Left()
	}
	c.inside = false
}

// Begun is what has come of a request, up to a buffer's length; it does not wait for more.
func (c *conn) Begun() []byte {
	c.budget = -1
	_, _ = c.in.Peek(1) // there is something, or the next read says what is wrong
	head, _ := c.in.Peek(c.in.Buffered())
	return head
}

// Gone says that the client has left, or closed its side.
func (c *conn) Gone() bool { return c.gone.Load() }
