// Package http1 serves HTTP/1.1 to an http.Handler over plain connections. Requests are
// read by net/http's own parser (http.ReadRequest), so that what counts as a request,
// and where it ends, is decided there; this package owns what lies around it: waiting
// for a request, its time, its context, and the writing of the answer.
//
// It exists because of what an open stream and a small call cost in net/http's server: a
// second goroutine for each connection that waits for the client to leave, and 10 KiB of
// buffers that nobody can set. Here a connection whose request has been read holds no
// buffer, one goroutine looks after all of them, and what is written goes out with one
// system call.
//
// It refuses to do TLS, HTTP/2, upgrades, trailers and informational answers other than
// 100 Continue: a proxy in front does the first two, and the gateway's protocols use
// none of the rest.
package http1
