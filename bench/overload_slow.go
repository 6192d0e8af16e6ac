package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// tidied is the time after which a gateway without work has given back what it can spare.
const tidied = 8 * time.Second

// slowReaders lets many clients read a long stream at one byte per second. What each
// takes is counted from what the gateway has when it has nothing to do and has given back
// its garbage, which new work would otherwise be put into at no cost: at the worst moment,
// garbage included, and when it has given back what it can of that.
func (o *overload) slowReaders(ctx context.Context, v *verdict) error {
	o.rig.ttft = 5 * time.Millisecond
	upstream, gateway, err := o.servers(ctx)
	if err != nil {
		return err
	}
	t, err := newTarget(gateway.base, benchKey, "auto", true, 300)
	if err != nil {
		return err
	}
	drive(ctx, t, plan{workers: 16, length: 2 * time.Second}) // so that what grows once has grown
	time.Sleep(tidied)
	before, err := gateway.rss()
	if err != nil {
		return err
	}
	files, err := gateway.files()
	if err != nil {
		return err
	}
	readers := &slowlings{}
	defer readers.stop()
	connections := 2 * o.readers // there and back; HTTP/2 shares those to the provider
	if o.rig.tls {
		connections = o.readers
	}
	began := time.Now()
	text := request(`{"stream":true,"messages":[{"role":"user","content":"x"}],"bench_tokens":100000,"bench_gap_us":0}`)
	for range o.readers {
		if err := readers.connect(ctx, hostPort(gateway.base), text, reads); err != nil {
			return err
		}
	}
	most, sent, err := o.highest(ctx, gateway, upstream, 10*time.Second)
	if err != nil {
		return err
	}
	_, more, err := o.highest(ctx, gateway, upstream, tidied)
	if err != nil {
		return err
	}
	rest, err := gateway.rss()
	if err != nil {
		return err
	}
	open, err := gateway.files()
	if err != nil {
		return err
	}
	if open < connections { // idle ones of before are used first
		return fmt.Errorf("only %d of %d connections are open: others are measured than meant", open, connections)
	}
	for _, m := range []struct {
		when string
		rss  int64
	}{{"at most", most}, {"when it has tidied up", rest}} {
		each := (m.rss - before) / int64(o.readers)
		v.add(each <= 64<<10, fmt.Sprintf("%d readers of 1 byte/s: memory for each, %s", o.readers, m.when), "64 KiB", "%d KiB (RSS %s to %s)", each>>10, mib(before), mib(m.rss))
	}
	v.add(more-sent < 1<<20, "the provider is paused meanwhile", "writes nothing", "%d bytes in %s, of %d KiB each until then", more-sent, tidied, sent/int64(o.readers)>>10)
	begun, left := time.Now(), 0
	for time.Since(begun) < 60*time.Second && ctx.Err() == nil {
		if left, err = gateway.files(); err != nil {
			return err
		}
		if left <= files+5 {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	v.add(left <= files+5, "they are cut when a write takes 30 s", "all within 60 s", "after %.0f s %d of %d connections are left", time.Since(began).Seconds(), max(left-files, 0), connections)
	return nil
}

// highest is the most memory of a process over a while, and what another had written at its end.
func (o *overload) highest(ctx context.Context, p, writer *process, length time.Duration) (rss, written int64, err error) {
	for end := time.Now().Add(length); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		now, err := p.rss()
		if err != nil {
			return 0, 0, err
		}
		rss = max(rss, now)
	}
	written, err = writer.written()
	return rss, written, err
}

// slowloris measures healthy calls with and without connections that never finish.
func (o *overload) slowloris(ctx context.Context, v *verdict) error {
	o.rig.ttft = 20 * time.Millisecond
	_, gateway, err := o.servers(ctx)
	if err != nil {
		return err
	}
	t, err := newTarget(gateway.base, benchKey, "auto", false, 1000)
	if err != nil {
		return err
	}
	healthy := plan{rate: 50, even: true, limit: 1000, length: o.length}
	drive(ctx, t, plan{workers: 8, length: 2 * time.Second})
	alone, beside := newReport(), newReport()
	for range o.rounds {
		alone.merge(drive(ctx, t, healthy))
		crowd := &slowlings{}
		half := request(`{"messages":[{"role":"user","content":"0123456789"}]}`)
		for i := range o.slow {
			text := "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nX-Slow: "
			if i%2 == 1 {
				text = half[:len(half)-20]
			}
			if err := crowd.connect(ctx, hostPort(gateway.base), text, writes); err != nil {
				crowd.stop()
				return err
			}
		}
		beside.merge(drive(ctx, t, healthy))
		crowd.stop()
	}
	o.say("alone: p50 %s p99 %s, beside: p50 %s p99 %s", at(alone.whole, 50), at(alone.whole, 99), at(beside.whole, 50), at(beside.whole, 99))
	v.add(beside.failures() == 0, fmt.Sprintf("healthy calls beside %d that never finish", o.slow), "all answered", "%d answered, %d failed", beside.ok, beside.failures())
	v.add(float64(at(beside.whole, 99)) <= 1.1*float64(at(alone.whole, 99))+float64(2*time.Millisecond), "their p99", "10 % and 2 ms more than alone",
		"%s, alone %s", at(beside.whole, 99), at(alone.whole, 99))
	return nil
}

func request(body string) string {
	return fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", benchKey, len(body), body)
}

// slowlings are connections on which one byte per second goes this or that way.
type slowlings struct {
	mu    sync.Mutex
	all   []net.Conn
	tasks sync.WaitGroup
}

func reads(conn net.Conn) error  { _, err := conn.Read(make([]byte, 1)); return err }
func writes(conn net.Conn) error { _, err := conn.Write([]byte("x")); return err }

// connect opens one, sends text, and goes on with one byte per second until it is closed.
func (s *slowlings) connect(ctx context.Context, addr, text string, each func(net.Conn) error) error {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4 << 10) // the less the kernel takes in for us, the slower we are
	}
	s.mu.Lock()
	s.all = append(s.all, conn)
	s.mu.Unlock()
	if _, err := conn.Write([]byte(text)); err != nil {
		return err
	}
	s.tasks.Go(func() { // ends when the connection does
		for each(conn) == nil && ctx.Err() == nil {
			time.Sleep(time.Second)
		}
	})
	return nil
}

// stop closes all of them and waits.
func (s *slowlings) stop() {
	for _, conn := range s.all {
		conn.Close()
	}
	s.tasks.Wait()
}
