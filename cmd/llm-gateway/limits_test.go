package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gateway"
)

// askOnce asks and gives the status with the header.
func askOnce(t *testing.T, client *http.Client, base string) (int, http.Header) {
	t.Helper()
	res, err := client.Post(base+"/v1/chat/completions", "application/json", strings.NewReader(chatBody(false)))
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Error(err)
	}
	return res.StatusCode, res.Header
}

// comesBack holds a refusal against the rule that it names a time in which it is worth
// coming back.
func comesBack(t *testing.T, status int, header http.Header, most int) {
	t.Helper()
	after, err := strconv.Atoi(header.Get("Retry-After"))
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable || err != nil || after < 1 || after > most {
		t.Errorf("status %d with Retry-After %q", status, header.Get("Retry-After"))
	}
}

// A burst at the only provider, which takes eight calls at once and answers 429 to the
// others without a word: they queue once the limit is known.
func TestBurstOfMuteRefusalsIsQueued(t *testing.T) {
	const callers, places = 60, 8
	var inFlight, refused atomic.Int64
	u := newUpstream(t, func(u *upstream, w http.ResponseWriter, r *http.Request, prompt string) {
		defer inFlight.Add(-1)
		if inFlight.Add(1) > places {
			refused.Add(1)
			status(429, "rate_limit_exceeded")(u, w, r, prompt)
			return
		}
		time.Sleep(60 * time.Millisecond)
		says("ok")(u, w, r, prompt)
	})
	base := serveGateway(t, configFile(t, entry{name: "only", url: u.URL, price: 1}), nil)
	client := newClient(t)
	var ok atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			if status, header := askOnce(t, client, base); status == http.StatusOK {
				ok.Add(1)
			} else {
				comesBack(t, status, header, 30)
			}
		})
	}
	all.Wait()
	t.Logf("%d of %d answered; the provider refused %d calls", ok.Load(), callers, refused.Load())
	if refused.Load() == 0 {
		t.Error("the provider refused nothing: this tests nothing")
	}
	if ok.Load() < callers*9/10 {
		t.Errorf("%d of %d answered", ok.Load(), callers)
	}
}

// A provider that refuses for ever without a word is asked again and again, but ever more
// seldom, and every client is told when to come back.
func TestMuteRefusalsAreNotHammered(t *testing.T) {
	u := newUpstream(t, status(429, "rate_limit_exceeded"))
	base := serveGateway(t, configFileWith(t, map[string]any{"routing": map[string]any{"time_scale": 0.1}}, // ten times as fast
		entry{name: "only", url: u.URL, price: 1}), nil)
	client := newClient(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			status, header := askOnce(t, client, base)
			comesBack(t, status, header, 4)
		})
	}
	all.Wait()
	if calls := u.calls.Load(); calls > 60 {
		t.Errorf("the provider was asked %d times", calls)
	}
}

// Whatever refuses every call, a client that gets 429 or 503 is told when to come back.
func TestFinalRefusalsSayWhenToComeBack(t *testing.T) {
	for name, c := range map[string]struct {
		script script
		most   int
	}{
		"5xx":               {status(500, "server_error"), 1},
		"overloaded":        {status(503, "overloaded"), 1},
		"overloaded for 60": {status(503, "overloaded", "Retry-After", "60"), 60},
		"429 for 60":        {status(429, "rate_limit_exceeded", "Retry-After", "60"), 60},
		"wrong key":         {status(401, "invalid_api_key"), 600},
		"no credit":         {status(402, "insufficient_quota"), 600},
		"hangs up":          {hangsUp, 1},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t, c.script)
			base := serveGateway(t, configFile(t, entry{name: "only", url: u.URL, price: 1}), nil)
			for range 2 { // the second is refused by the gate, where there is one to refuse
				status, header := askOnce(t, newClient(t), base)
				comesBack(t, status, header, c.most)
			}
		})
	}
}

// statusOf gives what GET /v1/providers says of a provider.
func statusOf(t *testing.T, base, name string) gateway.ProviderStatus {
	t.Helper()
	res, err := newClient(t).Get(base + "/v1/providers")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var all struct{ Providers []gateway.ProviderStatus }
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	for _, p := range all.Providers {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("%s is not among %+v", name, all.Providers)
	return gateway.ProviderStatus{}
}

// A provider that refuses the gateway's key is left alone and shown as misconfigured;
// after a while one call looks again, and a mended key is used.
func TestRefusedKeyIsShownAndMends(t *testing.T) {
	var mended atomic.Bool
	first := newUpstream(t, func(u *upstream, w http.ResponseWriter, r *http.Request, prompt string) {
		if mended.Load() {
			says("first")(u, w, r, prompt)
			return
		}
		status(401, "invalid_api_key")(u, w, r, prompt)
	})
	second := newUpstream(t, says("second"))
	config := configFileWith(t, map[string]any{"routing": map[string]any{"time_scale": 0.002}}, // ten minutes are 1.2 s
		entry{name: "first", url: first.URL, price: 1}, entry{name: "second", url: second.URL, price: 2})
	base := serveGateway(t, config, nil)
	client := newClient(t)
	for range 5 {
		mustAnswer(t, client, base, false)
	}
	if p := statusOf(t, base, "first"); p.State != "misconfigured" || len(p.Models) == 0 || p.Models[0].Skip != "misconfigured" {
		t.Errorf("%+v", p)
	}
	if n := first.calls.Load(); n != 1 {
		t.Errorf("%d calls with a key that is refused", n)
	}
	mended.Store(true)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if text, _ := mustAnswer(t, client, base, false); text == "first" {
			if p := statusOf(t, base, "first"); p.State != "closed" {
				t.Errorf("%+v", p)
			}
			return
		}
	}
	t.Error("the mended key is not used")
}
