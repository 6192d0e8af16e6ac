package http1

import (
	"sync"
	"time"
)

// warden looks after all connections: it ends the waiting of those whose time is over, and
// the requests of clients that have left.
type warden struct {
	server *Server
	leavers
	stop  chan struct{}
	ended sync.Once
	all   sync.WaitGroup
}

// lookEvery is how often the times of connections are looked at. They are bounds against
// clients that hold a connection for nothing, so that a second more does no harm.
const lookEvery = time.Second

func newWarden(s *Server) (*warden, error) {
	w := &warden{server: s, stop: make(chan struct{})}
	return w, w.leavers.open()
}

// run begins its work, which goes on until end.
func (w *warden) run() {
	w.all.Go(w.leavers.run) // ends with leavers.close
	w.all.Go(func() {
		for t := time.NewTicker(lookEvery); ; {
			select {
			case now := <-t.C:
				w.server.expire(now)
			case <-w.stop:
				t.Stop()
				return
			}
		}
	})
}

// end stops the warden and waits for it.
func (w *warden) end() {
	w.ended.Do(func() {
		close(w.stop)
		w.leavers.close()
	})
	w.all.Wait()
}

// expire ends the waiting of connections whose time is over.
func (s *Server) expire(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if due := c.due.Load(); due > 0 && due <= now.UnixNano() && c.due.CompareAndSwap(due, overdue) {
			_ = c.rwc.SetReadDeadline(time.Unix(1, 0)) // wakes whoever reads; a connection that is closed needs no waking
		}
	}
}
