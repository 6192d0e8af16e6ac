package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// memory is what the memory command was told.
type memory struct {
	streams []int
	settle  time.Duration
	outputs outputs
	rig     rig
}

// Bounds of what a gateway may take. Source: the project's own targets.
const (
	mostIdle   = 40 << 20
	mostStream = 40 << 10
	mostCold   = 150 * time.Millisecond
	mostBinary = 40 << 20
)

func newMemory() *cobra.Command {
	m := memory{}
	cmd := &cobra.Command{
		Use:   "memory",
		Short: "Measure what the gateway takes: idle, per open stream, at a cold start, on disk",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return m.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.IntSliceVar(&m.streams, "streams", []int{2000, 9500}, "open streams; each takes two file descriptors of the gateway, and one with --tls")
	f.BoolVar(&m.rig.tls, "tls", false, "call the provider over TLS, which offers HTTP/2")
	f.DurationVar(&m.settle, "settle", 20*time.Second, "time between the last stream and the measurement; a gateway that waits tidies up some seconds later")
	f.StringVar(&m.rig.binary, "gateway", "", "gateway binary; empty: build it")
	f.StringVar(&m.rig.sync, "ledger-sync", "normal", "what the gateway's ledger waits for: full or normal")
	m.outputs.flags(cmd)
	return cmd
}

func (m *memory) run(ctx context.Context, out io.Writer) (err error) {
	if m.rig.folder, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(m.rig.folder)
	defer m.rig.stop()
	// Room for refusals would be measured otherwise, not what a stream takes.
	m.rig.flags = []string{"--memory-budget", "0", "--overload-wait", "0"}
	v := newVerdict("memory")
	if err := m.start(ctx, v); err != nil {
		return err
	}
	for _, n := range m.streams {
		fmt.Fprintf(os.Stderr, "memory: %d streams\n", n)
		if err := m.open(ctx, v, n); err != nil {
			return err
		}
	}
	return v.write(out, m.outputs)
}

// start measures the binary, a cold start and a process that has nothing to do.
func (m *memory) start(ctx context.Context, v *verdict) error {
	if err := m.rig.build(ctx); err != nil {
		return err
	}
	info, err := os.Stat(m.rig.binary)
	if err != nil {
		return err
	}
	v.add(info.Size() <= mostBinary, "binary", mib(mostBinary), "%s", mib(info.Size()))
	upstream, err := m.rig.upstream(ctx)
	if err != nil {
		return err
	}
	defer m.rig.stop()
	var gateway *process
	best := time.Hour
	for range 5 { // the least of some: a machine's other work only adds
		if gateway != nil {
			gateway.stop()
		}
		begun := time.Now()
		if gateway, err = m.rig.gateway(ctx, upstream); err != nil {
			return err
		}
		if err := m.once(ctx, gateway); err != nil {
			return err
		}
		best = min(best, time.Since(begun))
	}
	v.add(best <= mostCold, "cold start to the first 200, the least of 5", mostCold.String(), "%s", best.Round(time.Millisecond))
	if pause(ctx, m.settle); ctx.Err() != nil {
		return ctx.Err()
	}
	rss, err := gateway.rss()
	if err != nil {
		return err
	}
	v.add(rss <= mostIdle, "RSS of an idle gateway", mib(mostIdle), "%s", mib(rss))
	return nil
}

// open holds so many streams open, each with its first token and no other, and divides
// what that added to the RSS of the gateway, and of the floor.
func (m *memory) open(ctx context.Context, v *verdict, n int) error {
	upstream, err := m.rig.upstream(ctx)
	if err != nil {
		return err
	}
	defer m.rig.stop()
	floor, err := m.rig.floor(ctx, upstream)
	if err != nil {
		return err
	}
	least, err := m.perStream(ctx, floor, n)
	if err != nil {
		return fmt.Errorf("the floor: %w", err)
	}
	gateway, err := m.rig.gateway(ctx, upstream)
	if err != nil {
		return err
	}
	ours, err := m.perStream(ctx, gateway, n)
	if err != nil {
		return fmt.Errorf("the gateway: %w", err)
	}
	v.add(ours.rss <= mostStream, fmt.Sprintf("RSS per open stream of %d%s", n, m.rig.protocol()), "40 KiB",
		"%.1f KiB with %d file descriptors, the floor %.1f KiB with %d", float64(ours.rss)/1024, ours.files, float64(least.rss)/1024, least.files)
	return nil
}

// taken is what the streams take: memory for each, and all file descriptors.
type taken struct {
	rss   int64
	files int
}

func (m *memory) perStream(ctx context.Context, p *process, n int) (t taken, err error) {
	// What the first call of a process takes, such as the authorities to trust, is not the streams'.
	if err := m.once(ctx, p); err != nil {
		return t, err
	}
	before, err := p.rss()
	if err != nil {
		return t, err
	}
	held, err := holdStreams(ctx, hostPort(p.base), n)
	defer func() {
		for _, conn := range held {
			conn.Close()
		}
	}()
	if err != nil {
		return t, err
	}
	if pause(ctx, m.settle); ctx.Err() != nil {
		return t, ctx.Err()
	}
	after, err := p.rss()
	if err != nil {
		return t, err
	}
	if t.files, err = p.files(); err != nil {
		return t, err
	}
	for _, conn := range held { // an ended stream would be counted as a cheap one
		if ended(conn) {
			return t, errors.New("a stream ended before it was measured")
		}
	}
	t.rss = (after - before) / int64(n)
	return t, nil
}

// once makes one call.
func (m *memory) once(ctx context.Context, p *process) error {
	t, err := newTarget(p.base, benchKey, "auto", false, 100)
	if err != nil {
		return err
	}
	defer t.client.CloseIdleConnections()
	return t.do(ctx, time.Now()).err
}

// ended says whether the other side has closed the connection, without waiting: a read whose
// deadline is over does not look. What has come meanwhile is thrown away.
func ended(conn net.Conn) bool {
	conn.SetReadDeadline(time.Time{})
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return true
	}
	over := false
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, err := syscall.Read(int(fd), make([]byte, 512))
			if n <= 0 {
				over = !errors.Is(err, syscall.EAGAIN)
				return true
			}
		}
	})
	return err != nil || over
}

// holdStreams opens n streams and reads each to its first token.
func holdStreams(ctx context.Context, addr string, n int) ([]net.Conn, error) {
	const body = `{"model":"auto","messages":[{"role":"user","content":"Say something and wait."}],"stream":true,"bench_tokens":2,"bench_gap_us":600000000}`
	var mu sync.Mutex
	var all []net.Conn
	var failed error
	var openers sync.WaitGroup
	each := make(chan struct{}, n)
	for range n {
		each <- struct{}{}
	}
	close(each)
	for range 32 {
		openers.Go(func() {
			for range each {
				conn, err := openStream(ctx, addr, body)
				mu.Lock()
				if err != nil {
					failed = err
				} else {
					all = append(all, conn)
				}
				stop := failed != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	openers.Wait()
	return all, failed
}

func openStream(ctx context.Context, addr, body string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, request(body)); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	lines := bufio.NewReaderSize(conn, 1024)
	for first := true; ; first = false {
		line, err := lines.ReadString('\n')
		switch {
		case err != nil:
			conn.Close()
			return nil, err
		case first && !strings.Contains(line, "200"):
			conn.Close()
			return nil, errors.New(strings.TrimSpace(line))
		case strings.Contains(line, `"content":"token`):
			return conn, nil
		}
	}
}
