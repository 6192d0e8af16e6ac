package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// runCall makes one call in the name of a key.
func runCall(t *testing.T, client *http.Client, method, url, key, body string, headers ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// An agent's run is bounded in money, calls and time by what its first request said,
// belongs to its key, and is stopped at once by its kill switch, streams included.
func TestRunsAreBoundedAndStopped(t *testing.T) {
	const one, two = "key-of-the-first", "key-of-the-second"
	up := newUpstream(t, func(u *upstream, w http.ResponseWriter, r *http.Request, prompt string) {
		if prompt == "hi" {
			says("ok")(u, w, r, prompt)
			return
		}
		begin(w, chunk(roleChunk, "null")) // a stream without end
		for r.Context().Err() == nil {
			io.WriteString(w, contentChunk("word "))
			http.NewResponseController(w).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	})
	base := serveGateway(t, configFile(t, entry{name: "only", url: up.URL, price: 1}), map[string]string{"GATEWAY_API_KEYS": "one:" + one + ",two:" + two})
	client := newClient(t)
	chat, endless := base+"/v1/chat/completions", strings.Replace(chatBody(true), `"hi"`, `"on and on"`, 1)

	for i := range 4 {
		status, text := runCall(t, client, "POST", chat, one, chatBody(false), "x-gateway-run", "counted", "x-gateway-run-max-calls", "3")
		if want := map[bool]int{true: 200, false: 402}[i < 3]; status != want {
			t.Errorf("call %d of 3: %d %s", i+1, status, text)
		}
	}
	if status, text := runCall(t, client, "POST", chat, one, chatBody(false), "x-gateway-run", "counted", "x-gateway-run-max-calls", "1000"); status != 402 || !strings.Contains(text, "budget_exceeded") {
		t.Errorf("a larger cap minted calls: %d %s", status, text)
	}
	status, text := runCall(t, client, "POST", chat, one, chatBody(false), "x-gateway-run", "poor", "x-gateway-run-max-cost-microcents", "1")
	var refusal struct {
		Error struct {
			Code                       string
			Spent, Held, Limit, Needed int64
		}
	}
	if err := json.Unmarshal([]byte(text), &refusal); err != nil || status != 402 || refusal.Error.Code != "budget_exceeded" || refusal.Error.Limit != 1 || refusal.Error.Needed < 2 {
		t.Errorf("a run of a microcent: %d %s", status, text)
	}
	if status, text := runCall(t, client, "GET", base+"/v1/runs/counted", two, ""); status != 404 {
		t.Errorf("another key sees the run: %d %s", status, text)
	}
	if status, text := runCall(t, client, "GET", base+"/v1/runs/counted", one, ""); status != 200 || !strings.Contains(text, `"calls":3`) {
		t.Errorf("%d %s", status, text)
	}

	type end struct {
		text string
		at   time.Time
	}
	stopped, over := make(chan end, 1), make(chan end, 1)
	go func() {
		_, text := runCall(t, client, "POST", chat, one, endless, "x-gateway-run", "killed")
		stopped <- end{text, time.Now()}
	}()
	go func() {
		_, text := runCall(t, client, "POST", chat, one, endless, "x-gateway-run", "timed", "x-gateway-run-max-seconds", "2")
		over <- end{text, time.Now()}
	}()
	begun := time.Now()
	for {
		if status, _ := runCall(t, client, "GET", base+"/v1/runs/killed", one, ""); status == 200 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond)
	at := time.Now()
	if status, text := runCall(t, client, "DELETE", base+"/v1/runs/killed", one, ""); status != 200 || strings.Contains(text, `"stopped":null`) {
		t.Errorf("%d %s", status, text)
	}
	if e := <-stopped; e.at.Sub(at) > time.Second || !strings.Contains(e.text, "the run was stopped") || strings.Contains(e.text, "[DONE]") {
		t.Errorf("a stream of a stopped run went on for %v: …%s", e.at.Sub(at), e.text[max(0, len(e.text)-300):])
	}
	if status, text := runCall(t, client, "POST", chat, one, chatBody(false), "x-gateway-run", "killed"); status != 402 {
		t.Errorf("a stopped run goes on: %d %s", status, text)
	}
	if e := <-over; e.at.Sub(begun) > 4*time.Second || !strings.Contains(e.text, "the time of run timed is over") {
		t.Errorf("a run of 2 s took %v: …%s", e.at.Sub(begun), e.text[max(0, len(e.text)-300):])
	}
}
