package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// fates counts how the bodies of a crowd ended.
type fates struct {
	mu       sync.Mutex
	by       map[string]int
	begun    time.Time // when all were connected
	unasked  int       // refused with 503 but without Retry-After
	needless int       // told to go on and then refused
}

func (f *fates) count(name string) {
	f.mu.Lock()
	f.by[name]++
	f.mu.Unlock()
}

const crowdBody = 1 << 20

// crowd sends very many large bodies at once to a gateway with little memory.
func (o *overload) crowd(ctx context.Context, v *verdict) error {
	limit := o.limit << 20
	group, err := memoryGroup(limit)
	by := "a cgroup of the kernel"
	if err != nil {
		by = fmt.Sprintf("GOMEMLIMIT alone (no cgroup: %v)", err)
		o.rig.env = []string{fmt.Sprintf("GOMEMLIMIT=%d", limit)}
	}
	o.rig.group = group
	defer func() {
		o.rig.stop()
		o.rig.group, o.rig.env = nil, nil
		if err := group.remove(); err != nil {
			o.say("%v", err)
		}
	}()
	_, gateway, err := o.servers(ctx)
	if err != nil {
		return err
	}
	f, err := sendCrowd(ctx, hostPort(gateway.base), o.bodies)
	if err != nil {
		return err
	}
	took := time.Since(f.begun)
	o.say("%d bodies: %v", o.bodies, f.by)
	peak, killed := int64(0), 0
	if group != nil {
		peak, killed, err = group.peak()
	} else {
		peak, err = gateway.peak()
	}
	if err != nil {
		return err
	}
	answered := f.by["200"] + f.by["503"]
	v.add(gateway.alive() && killed == 0 && peak <= limit, fmt.Sprintf("%d bodies of 1 MiB at once", o.bodies),
		fmt.Sprintf("lives within %s, limited by %s", mib(limit), by), "peak %s", mib(peak))
	v.add(answered >= o.bodies*99/100, "each of them hears 200 or 503", "99 %", "%d times 200, %d times 503, in %.1f s; others: %s", f.by["200"], f.by["503"], took.Seconds(), f.others())
	v.add(f.unasked == 0, "503 says Retry-After", "always", "%d without", f.unasked)
	v.add(f.needless == 0, "Expect: 100-continue: who is refused sends no body", "always", "%d sent it in vain", f.needless)
	sleepUntil(ctx, time.Now().Add(2*time.Second)) // as Retry-After says, and one more
	t, err := newTarget(gateway.base, benchKey, "auto", false, 300)
	if err != nil {
		return err
	}
	r := drive(ctx, t, plan{workers: 1, calls: 20, length: 20 * time.Second})
	v.add(r.ok == 20, "it serves as before two seconds afterwards", "20 of 20", "%d of 20, p99 %s", r.ok, at(r.whole, 99))
	return nil
}

func (f *fates) others() string {
	text := ""
	for name, n := range f.by {
		if name != "200" && name != "503" {
			text += fmt.Sprintf("%d x %s; ", n, name)
		}
	}
	if text == "" {
		return "none"
	}
	return text
}

// sendCrowd connects everybody first, then lets all of them send. Every second one asks
// with Expect: 100-continue; the others send their body bit by bit until they are answered.
func sendCrowd(ctx context.Context, addr string, n int) (*fates, error) {
	f := &fates{by: map[string]int{}}
	body := fmt.Appendf(nil, `{"messages":[{"role":"user","content":"%s"}]}`, bytes.Repeat([]byte("x"), crowdBody-45))
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dialing := make(chan struct{}, 256)
	begin := make(chan struct{})
	var connected, done sync.WaitGroup
	connected.Add(n)
	for i := range n {
		done.Go(func() {
			dialing <- struct{}{}
			conn, err := (&net.Dialer{Timeout: 30 * time.Second}).DialContext(ctx, "tcp", addr)
			<-dialing
			connected.Done()
			if err != nil {
				f.count("not connected: " + plainly(err).Error())
				return
			}
			defer conn.Close()
			select {
			case <-begin:
			case <-ctx.Done():
				return
			}
			f.count(f.one(conn, body, i%2 == 0))
		})
	}
	connected.Wait()
	f.begun = time.Now()
	close(begin)
	done.Wait()
	return f, ctx.Err()
}

// one sends a body and gives the status it heard.
func (f *fates) one(conn net.Conn, body []byte, expect bool) string {
	_ = conn.SetDeadline(time.Now().Add(90 * time.Second))
	head := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", benchKey, len(body))
	if expect {
		head += "Expect: 100-continue\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		return plainly(err).Error()
	}
	in := bufio.NewReaderSize(conn, 512)
	if expect {
		return f.asked(conn, in, body)
	}
	for len(body) > 0 {
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := in.Peek(1); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			break // an answer, or the end
		}
		part := body[:min(len(body), 32<<10)]
		if _, err := conn.Write(part); err != nil {
			break // the answer may still be there to read
		}
		body = body[len(part):]
	}
	_ = conn.SetReadDeadline(time.Now().Add(90 * time.Second))
	return f.status(in)
}

func (f *fates) asked(conn net.Conn, in *bufio.Reader, body []byte) string {
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return plainly(err).Error()
	}
	if res.StatusCode != http.StatusContinue {
		return f.told(res)
	}
	if _, err := conn.Write(body); err != nil {
		return plainly(err).Error()
	}
	status := f.status(in)
	if status == "503" {
		f.mu.Lock()
		f.needless++
		f.mu.Unlock()
	}
	return status
}

func (f *fates) status(in *bufio.Reader) string {
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return plainly(err).Error()
	}
	return f.told(res)
}

func (f *fates) told(res *http.Response) string {
	defer res.Body.Close()
	if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
		f.mu.Lock()
		f.unasked++
		f.mu.Unlock()
	}
	return fmt.Sprint(res.StatusCode)
}
