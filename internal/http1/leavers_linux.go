package http1

import (
	"os"
	"sync"
	"syscall"
)

// leavers tells of clients that have closed their connection, or their side of it, while
// nobody reads from it. An epoll of its own tells that without a goroutine for each
// connection and without reading what may be the next request.
type leavers struct {
	epoll *os.File
	raw   syscall.RawConn
	fd    int

	mu   sync.Mutex
	byFD map[int32]*conn
	last int32 // the turn of the connection that came last
}

func (l *leavers) open() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // so that Go waits for it as for a socket
		syscall.Close(fd)
		return os.NewSyscallError("fcntl", err)
	}
	l.fd, l.byFD = fd, map[int32]*conn{}
	l.epoll = os.NewFile(uintptr(fd), "epoll")
	l.raw, err = l.epoll.SyscallConn()
	return err
}

// watch begins to look after a connection.
func (l *leavers) watch(c *conn) error {
	var failed error
	err := c.raw.Control(func(fd uintptr) {
		l.mu.Lock()
		l.last++
		c.fd, c.turn = int32(fd), l.last
		l.byFD[c.fd] = c
		l.mu.Unlock()
		failed = syscall.EpollCtl(l.fd, syscall.EPOLL_CTL_ADD, int(fd),
			&syscall.EpollEvent{Events: syscall.EPOLLRDHUP | -syscall.EPOLLET&0xffffffff, Fd: c.fd, Pad: c.turn})
	})
	if err == nil {
		err = os.NewSyscallError("epoll_ctl", failed)
	}
	if err != nil {
		l.forget(c)
	}
	return err
}

// forget ends it. The connection is not closed yet: its number could be another's then.
func (l *leavers) forget(c *conn) {
	l.mu.Lock()
	if l.byFD[c.fd] == c {
		delete(l.byFD, c.fd)
	}
	l.mu.Unlock()
}

func (l *leavers) run() {
	events := make([]syscall.EpollEvent, 64)
	_ = l.raw.Read(func(uintptr) bool { // an error: it was closed
		for {
			n, err := syscall.EpollWait(l.fd, events, 0)
			if err == syscall.EINTR {
				continue
			}
			if n <= 0 {
				return false // wait for more
			}
			for _, e := range events[:n] {
				l.tell(e)
			}
		}
	})
}

// tell ends the request of a client that has left. By the time an event is told, its
// connection may have been closed and its number be another's: the turn tells them apart.
func (l *leavers) tell(e syscall.EpollEvent) {
	l.mu.Lock()
	c := l.byFD[e.Fd]
	known := c != nil && c.turn == e.Pad
	l.mu.Unlock()
	if known {
		c.gone.Store(true)
		c.left()
	}
}

func (l *leavers) close() { l.epoll.Close() }
