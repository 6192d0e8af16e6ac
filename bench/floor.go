package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// runFloor serves a handler that does the least that any gateway must: read the
// body, send it on, copy the answer back and flush it as it comes.
func runFloor(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench floor", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "where to listen")
	upstream := flags.String("upstream", "", "base URL of the provider")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := loopback(*upstream); err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 20_000, IdleConnTimeout: time.Minute, DisableCompression: true, ForceAttemptHTTP2: true,
	}}
	url := *upstream + "/v1/chat/completions"
	engine.POST("/v1/chat/completions", func(c *gin.Context) { forward(c, client, url) })
	return listen(ctx, *addr, engine, out)
}

func forward(c *gin.Context, client *http.Client, url string) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, 10<<20))
	if err != nil {
		c.Status(http.StatusBadRequest)
		return
	}
	req, err := http.NewRequestWithContext(c.Request.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		c.Status(http.StatusInternalServerError)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		c.Status(http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	c.Header("Content-Type", res.Header.Get("Content-Type"))
	c.Status(res.StatusCode)
	buf := make([]byte, 32<<10)
	for {
		n, err := res.Body.Read(buf)
		if n > 0 {
			if _, werr := c.Writer.Write(buf[:n]); werr != nil {
				return
			}
			c.Writer.Flush()
		}
		if err != nil {
			return
		}
	}
}

// narrow bounds what the kernel keeps for a client that does not read, so that writes
// stop when it does, and not megabytes later.
func narrow(ctx context.Context, c net.Conn) context.Context {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(64 << 10)
	}
	return ctx
}

// listen serves until ctx ends and says on out where.
func listen(ctx context.Context, addr string, handler http.Handler, out io.Writer) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ConnContext: narrow}
	return serve(ctx, addr, server, "http", server.Serve, out)
}

// streamsPerConnection is how many HTTP/2 streams a provider allows on one connection: the
// least that RFC 9113 recommends (section 6.5.2), and what most of them say.
const streamsPerConnection = 100

// listenTLS is listen over TLS, with HTTP/2 for who asks for it.
func listenTLS(ctx context.Context, addr string, handler http.Handler, pair tls.Certificate, out io.Writer) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}},
		HTTP2:     &http.HTTP2Config{MaxConcurrentStreams: streamsPerConnection},
	}
	return serve(ctx, addr, server, "https", func(l net.Listener) error { return server.ServeTLS(l, "", "") }, out)
}

func serve(ctx context.Context, addr string, server *http.Server, scheme string, on func(net.Listener) error, out io.Writer) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on %s://%s\n", scheme, l.Addr())
	stopped := context.AfterFunc(ctx, func() { server.Close() })
	defer stopped()
	if err := on(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
