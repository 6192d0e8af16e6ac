package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// lifecycle is what is ended, and in which order, when the gateway stops.
type lifecycle struct {
	server  *http.Server
	ready   func(bool)    // sets what /readyz answers
	delay   time.Duration // between failing readiness and closing the port
	timeout time.Duration // for the running requests
	// stopRouting ends what still runs when its context does, and returns when every
	// row of an attempt is with the books.
	stopRouting func(ctx context.Context)
	// closeBooks writes what is left and closes the store.
	closeBooks func() error
	// beside is the administration; it serves until the books are closed. Nil: none.
	beside         *http.Server
	besideListener net.Listener
	log            *slog.Logger
}

// newServer makes the server. There is no write timeout, since a stream may last; the
// handlers bound each write, and a request's own deadline bounds the whole.
func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           boundBody(handler, bodyTimeout),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext:       narrow,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// sendBuffer bounds what the kernel keeps for a client that does not read. Left to
// itself it grows to megabytes, and all that while a provider is read that nobody hears.
const sendBuffer = 64 << 10

// narrow gives a new connection a send buffer of a fixed size.
func narrow(ctx context.Context, c net.Conn) context.Context {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // a connection that is gone already says so on its first read
	}
	return ctx
}

// serveUntil serves on l until ctx ends, then stops everything in order: readiness
// fails, the port closes, requests run to their end or to the timeout, attempts end,
// the ledger is flushed. When hurry ends, the requests are not waited for.
func (l *lifecycle) serveUntil(ctx, hurry context.Context, listener net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- l.server.Serve(listener) }() // ends with Shutdown or Close
	if l.beside != nil {
		go l.beside.Serve(l.besideListener) // ends with Close
		defer l.beside.Close()
	}
	tidying, endTidying := context.WithCancel(ctx)
	defer endTidying()
	go keepTidy(tidying)
	l.ready(true)
	select {
	case err := <-served:
		l.ready(false)
		over, cancel := context.WithCancel(context.Background())
		cancel()
		l.stopRouting(over)
		return errors.Join(err, l.closeBooks())
	case <-ctx.Done():
	}
	err := l.drain(hurry)
	if served := <-served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func (l *lifecycle) drain(hurry context.Context) error {
	begun := time.Now()
	l.ready(false)
	l.log.Info("draining", "timeout", l.timeout)
	select {
	case <-time.After(l.delay):
	case <-hurry.Done():
	}
	patience, cancel := context.WithTimeout(hurry, l.timeout)
	defer cancel()
	if err := l.server.Shutdown(patience); err != nil {
		l.log.Warn("requests did not end in time and are cut", "after", time.Since(begun))
	}
	l.stopRouting(patience)
	// Handlers whose requests were cut have an error to write; then nobody is waited for.
	last, cancelLast := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancelLast()
	if l.server.Shutdown(last) != nil {
		l.server.Close()
	}
	err := l.closeBooks()
	l.log.Info("stopped", "took", time.Since(begun))
	return err
}

// bodyTimeout is how long a client may take to send its body.
const bodyTimeout = time.Minute

// boundBody gives a request's body so long to arrive. It is not http.Server's
// ReadTimeout, because that one goes on counting when the body is there, and would
// look like the client leaving in the middle of a long stream.
//
// A connection that carried a body without a length carries nothing after it. Whatever
// stands before us may have taken another header for that body's length, and what
// follows it for its rest: a request that nobody has let in.
func boundBody(next http.Handler, most time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		if r.Body != nil && r.Body != http.NoBody {
			control := http.NewResponseController(w)
			if control.SetReadDeadline(time.Now().Add(most)) == nil {
				r.Body = &timedBody{ReadCloser: r.Body, lift: func() { _ = control.SetReadDeadline(time.Time{}) }}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody lifts the deadline when the body has been read to its end.
type timedBody struct {
	io.ReadCloser
	lift func()
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) && b.lift != nil {
		b.lift()
		b.lift = nil
	}
	return n, err
}
