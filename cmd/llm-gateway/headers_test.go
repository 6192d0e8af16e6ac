package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// asked is what came of a request with headers of its own.
type asked struct {
	outcome
	header http.Header
	took   time.Duration
	body   []byte
}

// askWith sends one request with these headers, in pairs.
func askWith(t *testing.T, base string, stream bool, headers ...string) (a asked) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/chat/completions", strings.NewReader(chatBody(stream)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	begin := time.Now()
	res, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	a.header = res.Header
	a.body, err = io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	a.took = time.Since(begin)
	res.Body = io.NopCloser(bytes.NewReader(a.body))
	a.outcome = readOutcome(res, stream)
	if a.more != "" {
		t.Errorf("after the end came %.300q", a.more)
	}
	return a
}

// receipt is the list of attempts that an answer carries.
func (a asked) receipt(t *testing.T) []receiptLine {
	t.Helper()
	var with struct {
		Gateway *struct {
			Attempts []receiptLine
			Cost     *int64 `json:"cost_microcents"`
		}
	}
	lines := bufio.NewScanner(bytes.NewReader(a.body))
	for lines.Scan() {
		data := bytes.TrimPrefix(lines.Bytes(), []byte("data: "))
		if bytes.Contains(data, []byte(`"gateway":{`)) {
			if err := json.Unmarshal(data, &with); err != nil {
				t.Fatal(err)
			}
		}
	}
	if with.Gateway == nil || with.Gateway.Cost == nil {
		t.Fatalf("no receipt in %s", a.body)
	}
	return with.Gateway.Attempts
}

type receiptLine struct {
	Attempt                       int
	Provider, Role, Outcome, Why  string
	Start, FirstContent, EndMilli int64
}

func (r *receiptLine) UnmarshalJSON(b []byte) error {
	type named struct {
		Attempt                      int
		Provider, Role, Outcome, Why string
		StartMS                      *int64 `json:"start_ms"`
		FirstMS                      *int64 `json:"first_content_ms"`
		EndMS                        *int64 `json:"end_ms"`
	}
	var n named
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	if n.StartMS == nil || n.FirstMS == nil || n.EndMS == nil {
		return errors.New("an attempt without its times")
	}
	*r = receiptLine{n.Attempt, n.Provider, n.Role, n.Outcome, n.Why, *n.StartMS, *n.FirstMS, *n.EndMS}
	return nil
}

// saysAfter is says, a while later.
func saysAfter(d time.Duration, text string) script {
	return func(u *upstream, w http.ResponseWriter, r *http.Request, prompt string) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
			return
		}
		says(text)(u, w, r, prompt)
	}
}

func twoProviders(t *testing.T, first, second script) (base string, a, b *upstream) {
	t.Helper()
	a, b = newUpstream(t, first), newUpstream(t, second)
	return serveGateway(t, configFile(t, entry{name: "first", url: a.URL, price: 1}, entry{name: "second", url: b.URL, price: 2}), nil), a, b
}

func TestHedgeHeaders(t *testing.T) {
	for _, stream := range []bool{false, true} {
		base, _, second := twoProviders(t, saysAfter(400*time.Millisecond, "first"), says("second"))
		off := askWith(t, base, stream, "X-Gateway-Hedge", "off", "X-Gateway-Hedge-After", "10ms")
		if off.text != "first" || second.calls.Load() != 0 {
			t.Errorf("stream %v, off: %q %v, the second was asked %d times", stream, off.text, off.err, second.calls.Load())
		}
		for _, c := range []struct {
			hedge, after string
			least, most  int64 // ms before the hedge starts
		}{{"auto", "100ms", 100, 300}, {"auto", "0.2", 200, 380}, {"force", "300ms", 0, 80}} {
			a := askWith(t, base, stream, "X-Gateway-Hedge", c.hedge, "X-Gateway-Hedge-After", c.after, "X-Gateway-Receipt", "1")
			if a.text != "second" || a.header.Get("X-Gateway-Hedged") != "true" {
				t.Errorf("stream %v, %s %s: %q %v, hedged %s", stream, c.hedge, c.after, a.text, a.err, a.header.Get("X-Gateway-Hedged"))
				continue
			}
			at := int64(-1)
			for _, line := range a.receipt(t) {
				if line.Role == "hedge" && line.Provider == "second" && line.Outcome == "ok" {
					at = line.Start
				}
			}
			if at < c.least || at > c.most {
				t.Errorf("stream %v, %s %s: a hedge after %d ms; want %d to %d", stream, c.hedge, c.after, at, c.least, c.most)
			}
		}
	}
}

// A request that must be processed somewhere goes nowhere else, however the others fare.
func TestRegionHeader(t *testing.T) {
	here, there := newUpstream(t, says("here")), newUpstream(t, says("there"))
	base := serveGateway(t, configFile(t,
		entry{name: "first", url: here.URL, price: 1},
		entry{name: "second", url: there.URL, price: 2, extras: map[string]any{"region": "EU"}}), nil)
	if a := askWith(t, base, true, "X-Gateway-Region", "eu"); a.text != "there" || here.calls.Load() != 0 {
		t.Errorf("%q %v, the provider elsewhere was asked %d times", a.text, a.err, here.calls.Load())
	}
	if a := askWith(t, base, false, "X-Gateway-Region", "mars"); a.status != http.StatusBadRequest || !strings.Contains(string(a.body), "mars") {
		t.Errorf("HTTP %d %s", a.status, a.body)
	}
}

func TestDeadlineHeader(t *testing.T) {
	for _, stream := range []bool{false, true} {
		base, first, _ := twoProviders(t, holds(), holdsQuietly())
		a := askWith(t, base, stream, "X-Gateway-Deadline", "200ms")
		if a.status != http.StatusGatewayTimeout || a.took < 190*time.Millisecond || a.took > 1500*time.Millisecond {
			t.Errorf("stream %v: status %d after %v: %s", stream, a.status, a.took, a.body)
		}
		select {
		case <-first.closed:
		case <-time.After(time.Second):
			t.Errorf("stream %v: the attempt outlives its request by more than a second", stream)
		}
	}
}

// A request that is streaming when its deadline passes gets an error in the stream.
func TestDeadlineHoldsInTheMiddleOfAStream(t *testing.T) {
	base, _, _ := twoProviders(t, holds(chunk(roleChunk, "null"), contentChunk("Half")), says("second"))
	a := askWith(t, base, true, "X-Gateway-Deadline", "200ms")
	var inBand errInBand
	if !errors.As(a.err, &inBand) || a.text != "Half" || a.took > 1500*time.Millisecond {
		t.Errorf("mid stream: %q, %v after %v", a.text, a.err, a.took)
	}
}

// A stream that goes on for ever, a word at a time, ends at the deadline too.
func TestDeadlineEndsADrip(t *testing.T) {
	base, _, _ := twoProviders(t, func(_ *upstream, w http.ResponseWriter, r *http.Request, _ string) {
		begin(w, chunk(roleChunk, "null"))
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end) && r.Context().Err() == nil; time.Sleep(20 * time.Millisecond) {
			begin(w, contentChunk("x"))
		}
	}, says("second"))
	a := askWith(t, base, true, "X-Gateway-Deadline", "300ms")
	var inBand errInBand
	if !errors.As(a.err, &inBand) || a.took > 1500*time.Millisecond {
		t.Errorf("%v after %v", a.err, a.took)
	}
}

func TestFallbackHeader(t *testing.T) {
	for _, stream := range []bool{false, true} {
		base, first, second := twoProviders(t, status(503, "overloaded"), says("second"))
		off := askWith(t, base, stream, "X-Gateway-Fallback", "off")
		if off.status < 500 || second.calls.Load() != 0 || first.calls.Load() > 2 {
			t.Errorf("stream %v, off: %d, asked %d and %d times: %s", stream, off.status, first.calls.Load(), second.calls.Load(), off.body)
		}
		if on := askWith(t, base, stream, "X-Gateway-Fallback", "on"); on.text != "second" {
			t.Errorf("stream %v, on: %d %q", stream, on.status, on.text)
		}
	}
}

func TestStreamFailureHeader(t *testing.T) {
	const same = "One two three four."
	breaks := sends(chunk(roleChunk, "null"), contentChunk("One "), contentChunk("two "))
	for name, c := range map[string]struct {
		mode   string
		second script
		text   string
		whole  bool
	}{
		"error":                        {"error", says(same), "One two ", false},
		"error by default":             {"", says(same), "One two ", false},
		"continue, the same answer":    {"continue", says(same), same, true},
		"continue, a different answer": {"continue", says("One zwei drei."), "One two ", false},
		"continue, a shorter answer":   {"continue", says("One "), "One two ", false},
		"continue, a refusal":          {"continue", status(400, "invalid_request_error"), "One two ", false},
		"atomic":                       {"atomic", says("Something else."), "Something else.", true},
	} {
		t.Run(name, func(t *testing.T) {
			base, _, _ := twoProviders(t, breaks, c.second)
			a := askWith(t, base, true, "X-Gateway-Stream-Failure", c.mode)
			var inBand errInBand
			if a.text != c.text || a.whole() != c.whole || !c.whole && !errors.As(a.err, &inBand) {
				t.Errorf("status %d %q, %v; want %q, whole %v", a.status, a.text, a.err, c.text, c.whole)
			}
		})
	}
}

func TestPatienceHeader(t *testing.T) {
	for _, stream := range []bool{false, true} {
		for _, c := range []struct{ patience, text string }{{"2s", "first"}, {"500ms", "first"}, {"10ms", "second"}, {"0s", "second"}} {
			base, first, second := twoProviders(t, func(u *upstream, w http.ResponseWriter, r *http.Request, prompt string) {
				if u.calls.Load() == 1 {
					status(429, "rate_limit_exceeded", "Retry-After-Ms", "250")(u, w, r, prompt)
					return
				}
				says("first")(u, w, r, prompt)
			}, says("second"))
			a := askWith(t, base, stream, "X-Gateway-Patience", c.patience, "X-Gateway-Hedge-After", "200ms") // within the wait
			if a.text != c.text {
				t.Errorf("stream %v, %s: %q, %v after %v; want %q", stream, c.patience, a.text, a.err, a.took, c.text)
			}
			if c.text == "first" && (a.took < 245*time.Millisecond || first.calls.Load() != 2 || second.calls.Load() != 0) {
				t.Errorf("stream %v, %s: after %v, %d and %d calls; want a wait of 250ms and no hedge in it",
					stream, c.patience, a.took, first.calls.Load(), second.calls.Load())
			}
		}
	}
}

func TestReceiptHeader(t *testing.T) {
	for _, stream := range []bool{false, true} {
		base, _, _ := twoProviders(t, status(401, "invalid_api_key"), says("second"))
		if none := askWith(t, base, stream); bytes.Contains(none.body, []byte(`"gateway"`)) {
			t.Errorf("stream %v: a receipt that nobody asked for: %s", stream, none.body)
		}
		base, _, _ = twoProviders(t, status(401, "invalid_api_key"), says("second"))
		a := askWith(t, base, stream, "X-Gateway-Receipt", "1")
		lines := a.receipt(t)
		if len(lines) != 2 || lines[0].Provider != "first" || lines[0].Outcome != "provider_auth" || lines[0].Why == "" ||
			lines[1].Provider != "second" || lines[1].Role != "fallback" || lines[1].Outcome != "ok" || lines[1].EndMilli < lines[1].Start {
			t.Errorf("stream %v: %+v", stream, lines)
		}
	}
}

// The receipt of a race has both attempts. The winner takes a moment, so that the loser has left.
func TestReceiptOfARaceHasTheLoser(t *testing.T) {
	for _, stream := range []bool{false, true} {
		base, _, _ := twoProviders(t, saysAfter(400*time.Millisecond, "first"), saysAfter(50*time.Millisecond, "second"))
		for range 10 {
			a := askWith(t, base, stream, "X-Gateway-Hedge", "force", "X-Gateway-Receipt", "1")
			lines := a.receipt(t)
			outcomes := map[string]string{}
			for _, line := range lines {
				outcomes[line.Provider+" "+line.Role] = line.Outcome
			}
			if len(lines) != 2 || outcomes["first primary"] != "canceled" || outcomes["second hedge"] != "ok" {
				t.Errorf("stream %v: %+v", stream, lines)
			}
		}
	}
}

func TestHeaderThatCannotBeReadIsTheClientsError(t *testing.T) {
	base, first, _ := twoProviders(t, says("first"), says("second"))
	for name, value := range map[string]string{
		"X-Gateway-Hedge": "yes", "X-Gateway-Hedge-After": "soon", "X-Gateway-Deadline": "-1s", "X-Gateway-Fallback": "of",
		"X-Gateway-Stream-Failure": "retry", "X-Gateway-Patience": "NaN", "X-Gateway-Receipt": "yes",
	} {
		a := askWith(t, base, false, name, value)
		if a.status != http.StatusBadRequest || !strings.Contains(strings.ToLower(string(a.body)), strings.ToLower(name)) {
			t.Errorf("%s: %s: %d %s", name, value, a.status, a.body)
		}
	}
	if first.calls.Load() != 0 {
		t.Error("a provider was asked")
	}
}

// The configuration may turn fallback off; a request may turn it on for itself.
func TestFallbackInTheConfiguration(t *testing.T) {
	first, second := newUpstream(t, status(503, "overloaded")), newUpstream(t, says("second"))
	config := configFileWith(t, map[string]any{"routing": map[string]any{"fallback": "off"}},
		entry{name: "first", url: first.URL, price: 1}, entry{name: "second", url: second.URL, price: 2})
	base := serveGateway(t, config, nil)
	if off := askWith(t, base, false); off.status != http.StatusServiceUnavailable || second.calls.Load() != 0 {
		t.Errorf("%d %s; the second was asked %d times", off.status, off.body, second.calls.Load())
	}
	if on := askWith(t, base, false, "X-Gateway-Fallback", "on"); on.text != "second" {
		t.Errorf("%d %s", on.status, on.body)
	}
}
