package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// told is what a webhook heard.
type told struct {
	ID   string `json:"-"`
	Type string
	Data struct {
		Alias   string
		Percent int
		Spent   int64 `json:"spent_microcents"`
		Limit   int64 `json:"limit_microcents"`
		Refused bool
	}
}

// alertReceiver checks signatures as a receiver of the specification does.
func alertReceiver(t *testing.T, secret string) (url string, heard chan told) {
	hook, err := webhooks.NewWebhookRaw([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	heard = make(chan told, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		one := told{ID: r.Header.Get("webhook-id")}
		if err := hook.Verify(body, r.Header); err != nil {
			t.Errorf("the signature: %v", err)
		}
		if err := json.Unmarshal(body, &one); err != nil {
			t.Errorf("%v: %s", err, body)
		}
		heard <- one
	}))
	t.Cleanup(server.Close)
	return server.URL, heard
}

func (want told) next(t *testing.T, heard chan told) {
	t.Helper()
	select {
	case got := <-heard:
		if got.Type != "budget.threshold" || got.Data != want.Data {
			t.Errorf("told %+v, want %+v", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("not told %+v", want)
	}
}

// A webhook hears once of 85 % and once of 100 %, which is also when the budget first
// refuses a request; a restart and more refusals change nothing.
func TestBudgetAlertsReachTheWebhookOnce(t *testing.T) {
	const secret = "the-secret-of-the-webhook"
	url, heard := alertReceiver(t, secret)
	up := newUpstream(t, func(_ *upstream, w http.ResponseWriter, _ *http.Request, _ string) {
		begin(w, chunk(roleChunk, "null"))
		io.WriteString(w, contentChunk("ok")+chunk("{}", `"stop"`)+
			`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":300,"completion_tokens":5,"total_tokens":305}}`+"\n\ndata: [DONE]\n\n")
	})
	// A token is 10,000 microcents, a call 305 of them, and a hold about 400: nine calls fit into 30 cents.
	config, data := configFile(t, entry{name: "only", url: up.URL, price: 100}), t.TempDir()
	key := keysCmd(t, data, "create", "--alias", "ci", "--budget", "0.3", "--every", "month")
	key = key[strings.LastIndexAny(key, " \n")+1:]
	env := map[string]string{"LLM_GATEWAY_ALERT_URL": url, "LLM_GATEWAY_ALERT_SECRET": secret}
	base, stop := startGateway(t, config, env, "--data-dir", data)
	defer func() { stop() }()
	client := newClient(t)
	ask := func(most string) (int, string) {
		return chatStatus(t, client, base, key, `{"model":"auto","max_tokens":`+most+`,"messages":[{"role":"user","content":"hi"}]}`)
	}
	if status, text := ask("100000"); status != http.StatusPaymentRequired { // more than the whole limit: no news of the budget
		t.Fatalf("%d %s", status, text)
	}
	var eighty5, hundred told
	eighty5.Data.Alias, eighty5.Data.Percent, eighty5.Data.Spent, eighty5.Data.Limit = "ci", 85, 9*305*10_000, 30_000_000
	hundred = eighty5
	hundred.Data.Percent, hundred.Data.Refused = 100, true
	for i := range 9 {
		if len(heard) > 0 {
			t.Fatalf("told %+v after %d calls", <-heard, i)
		}
		if status, text := ask("5"); status != http.StatusOK {
			t.Fatalf("call %d: %d %s", i+1, status, text)
		}
	}
	eighty5.next(t, heard)
	if status, text := ask("5"); status != http.StatusPaymentRequired || !strings.Contains(text, `"budget_exceeded"`) {
		t.Fatalf("%d %s", status, text)
	}
	hundred.next(t, heard)
	ask("5")
	stop()
	base, stop = startGateway(t, config, env, "--data-dir", data)
	if status, text := ask("5"); status != http.StatusPaymentRequired {
		t.Fatalf("after a restart: %d %s", status, text)
	}
	stop() // what is to be sent is sent before
	if len(heard) > 0 {
		t.Errorf("told again: %+v", <-heard)
	}
}
