package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What stays held of a budget for calls that were cut is shown to the client, apart from
// what is held for calls that run, and with the day on which it is free again.
func TestWhatIsUnsureIsShown(t *testing.T) {
	up := newUpstream(t, func(_ *upstream, w http.ResponseWriter, r *http.Request, _ string) {
		begin(w, chunk(roleChunk, "null"))
		io.WriteString(w, contentChunk("one "))
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	data := t.TempDir()
	key := keysCmd(t, data, "create", "--alias", "ci", "--budget", "0.1", "--every", "day")
	key = key[strings.LastIndexAny(key, " \n")+1:]
	base := serveGateway(t, configFile(t, entry{name: "only", url: up.URL, price: 100}), nil, "--data-dir", data)
	client := newClient(t)
	const cut = `{"model":"auto","stream":true,"max_tokens":200,"messages":[{"role":"user","content":"hi"}]}`
	res, err := chatAs(t.Context(), client, base, key, cut)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(res.Body); lines.Scan() && !strings.Contains(lines.Text(), `"one "`); {
	}
	type budget struct {
		Spent  int64     `json:"spent_microcents"`
		Held   int64     `json:"held_microcents"`
		Unsure int64     `json:"unsure_microcents"`
		Limit  int64     `json:"limit_microcents"`
		Ends   time.Time `json:"period_ends"`
	}
	shown := func() budget {
		status, text := runCall(t, client, "GET", base+"/v1/spend", key, "")
		var answer struct{ Budgets []budget }
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusOK || len(answer.Budgets) != 1 {
			t.Fatalf("%d %s", status, text)
		}
		return answer.Budgets[0]
	}
	if b := shown(); b.Held == 0 || b.Unsure != 0 || b.Spent != 0 {
		t.Errorf("while it runs: %+v", b)
	}
	res.Body.Close()
	within(t, "the hold ends", func() bool { return shown().Held == 0 })
	b := shown()
	if b.Unsure < 1_000_000 || b.Spent == 0 || b.Limit != 10_000_000 || !b.Ends.After(time.Now()) {
		t.Errorf("when it was cut: %+v", b)
	}
	status, text := chatStatus(t, client, base, key, cut)
	var no struct {
		Error struct {
			Message                            string
			Spent, Held, Unsure, Limit, Needed int64
			Ends                               time.Time `json:"period_ends"`
		}
	}
	if err := json.Unmarshal([]byte(text), &no); err != nil || status != http.StatusPaymentRequired {
		t.Fatalf("%d %s", status, text)
	}
	if e := no.Error; e.Held != b.Unsure || e.Unsure != b.Unsure || e.Spent != b.Spent || !e.Ends.Equal(b.Ends) || !strings.Contains(e.Message, "calls that were cut") ||
		e.Spent+e.Held+e.Needed <= e.Limit {
		t.Errorf("refused with %s, while %+v", text, b)
	}
}
