package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"gateway/internal/http1"
)

// lifecycle is what is ended, and in which order, when the gateway stops.
type lifecycle struct {
	server  *http1.Server
	ready   func(bool)    // sets what /readyz answers
	delay   time.Duration // between failing readiness and closing the port
	timeout time.Duration // for the running requests
	// stopWaiting sends away the requests that wait to be read, since another gateway may
	// have room for them.
	stopWaiting func()
	// stopRouting ends what still runs when its context does, and returns when every
	// row of an attempt is with the books.
	stopRouting func(ctx context.Context)
	// closeBooks writes what is left and closes the store.
	closeBooks func() error
	// beside is the administration; it serves until the books are closed. Nil: none.
	beside         *http1.Server
	besideListener net.Listener
	log            *slog.Logger
}

// newServer makes the server. There is no write timeout, since a stream may last; the
// handlers bound each write, and a request's own deadline bounds the whole.
func newServer(handler http.Handler, log *slog.Logger) *http1.Server {
	return &http1.Server{
		Handler:     handler,
		HeadTimeout: 10 * time.Second,
		BodyTimeout: bodyTimeout,
		IdleTimeout: 2 * time.Minute,
		MostHead:    64 << 10,
		SendBuffer:  sendBuffer,
		Log:         log,
	}
}

// sendBuffer bounds what the kernel keeps for a client that does not read. Left to
// itself it grows to megabytes, and all that while a provider is read that nobody hears.
const sendBuffer = 64 << 10

// bodyTimeout is how long a client may take to send its body.
const bodyTimeout = time.Minute

// serveUntil serves on l until ctx ends, then stops everything in order: readiness
// fails, the port closes, requests run to their end or to the timeout, attempts end,
// the ledger is flushed. When hurry ends, the requests are not waited for.
func (l *lifecycle) serveUntil(ctx, hurry context.Context, listener net.Listener) error {
	l.ready(true) // whoever connects now waits in the listener until Serve accepts
	served := make(chan error, 1)
	go func() { served <- l.server.Serve(listener) }() // ends with Shutdown or Close
	if l.beside != nil {
		go l.beside.Serve(l.besideListener) // ends with Close
		defer l.beside.Close()
	}
	tidying, endTidying := context.WithCancel(ctx)
	defer endTidying()
	go keepTidy(tidying)
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
	l.stopWaiting()
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
