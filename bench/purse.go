package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"gateway/internal/fakeupstream"
)

// vendor is a simulated provider that keeps its own bill. Its books are opened anew for
// each round, so that they do not grow for hours.
type vendor struct {
	config fakeupstream.Config
	input  int64 // picodollars per token
	output int64
	now    atomic.Pointer[fakeupstream.Server]
	server *http.Server
	base   string
	ended  chan struct{}
}

func newVendor(c fakeupstream.Config, input, output int64) (*vendor, error) {
	v := &vendor{config: c, input: input, output: output, ended: make(chan struct{})}
	if err := v.anew(); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v.base = "http://" + listener.Addr().String() + "/v1"
	v.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.now.Load().ServeHTTP(w, r)
	})}
	go func() { // ends with close
		defer close(v.ended)
		_ = v.server.Serve(listener)
	}()
	return v, nil
}

// anew begins a new bill.
func (v *vendor) anew() error {
	s, err := fakeupstream.New(v.config)
	if err == nil {
		v.now.Store(s)
	}
	return err
}

func (v *vendor) close() {
	_ = v.server.Close()
	<-v.ended
}

// quiet waits until nothing is in flight, so that the bill is whole.
func (v *vendor) quiet(ctx context.Context) error {
	for deadline := time.Now().Add(30 * time.Second); ; {
		if v.now.Load().Counts().InFlight == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d calls are still in flight at the provider", v.now.Load().Counts().InFlight)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// picos is what one request costs, exactly.
func (v *vendor) picos(b *fakeupstream.Bill) int64 {
	return int64(b.Usage.Prompt)*v.input + int64(b.Usage.Output)*v.output
}

// charged is the whole bill in picodollars, and what it counts.
func (v *vendor) charged() (picos int64, requests, cut, failed int) {
	bills := v.now.Load().Bill()
	for i := range bills {
		picos += v.picos(&bills[i])
		if bills[i].Cut {
			cut++
		}
		if bills[i].Status >= 300 {
			failed++
		}
	}
	return picos, len(bills), cut, failed
}

// entry is the vendor as providers.json has it; prices are dollars per million tokens.
func (v *vendor) entry(bills string) map[string]any {
	return map[string]any{
		"kind": "openai_compatible", "breaker": "off", "env_key": "BENCH_API_KEY", "base_url": v.base, "bills": bills, "default_model": "bench-model",
		"pricing": map[string]any{"input_usd_per_mtok": float64(v.input) / 1e6, "output_usd_per_mtok": float64(v.output) / 1e6},
	}
}

// providersFile has two vendors and no judgement of them: a crowd that begins at once is
// more than the machine can do for a moment, and its failures, which come first, would open
// a breaker; what is meant to be a tenth of the calls would then be all of them.
func providersFile(first, second *vendor, secondBills string) ([]byte, error) {
	return json.Marshal(map[string]any{
		"providers":     map[string]any{"first": first.entry("seen"), "second": second.entry(secondBills)},
		"auto_priority": []string{"first", "second"},
		"routing":       map[string]any{"demote": "off"},
	})
}
