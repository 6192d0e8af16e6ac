package alerts_test

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gateway"
	"gateway/alerts"
	"gateway/ledger"
)

const secret = "a-secret-of-the-operator"

// receiver verifies what comes as a receiver of the specification does; the first so
// many deliveries fail.
type receiver struct {
	*httptest.Server
	fails atomic.Int32
	got   chan string
}

func newReceiver(t *testing.T) *receiver {
	hook, err := webhooks.NewWebhookRaw([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{got: make(chan string, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		if err := hook.Verify(body, req.Header); err != nil {
			t.Errorf("%v: %s", err, body)
		}
		if err := hook.Verify(append(body, ' '), req.Header); err == nil {
			t.Error("another body has the same signature")
		}
		if r.fails.Add(-1) >= 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		r.got <- string(body)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) next(t *testing.T) string {
	t.Helper()
	select {
	case body := <-r.got:
		return body
	case <-time.After(10 * time.Second):
		t.Fatal("no alert came")
	}
	return ""
}

func start(t *testing.T, dir, url string) (*alerts.Notifier, func()) {
	t.Helper()
	keys, err := ledger.OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	n, err := alerts.Start(alerts.Config{URL: url, Secret: secret, Outbox: keys, Name: func(string) string { return "ci" }})
	if err != nil {
		t.Fatal(err)
	}
	return n, func() { n.Stop(); keys.Close() }
}

var (
	budget = gateway.Budget{Limited: true, Limit: 1000, Every: gateway.Monthly, Zone: "Europe/Vienna"}
	month  = time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC)
)

func spent(amount gateway.Microcents) gateway.AccountState {
	return gateway.AccountState{ID: "key_a", Spent: amount, From: month, Until: month.AddDate(0, 1, 0)}
}

func TestAlertsComeOnceOverRestarts(t *testing.T) {
	r, dir := newReceiver(t), t.TempDir()
	r.fails.Store(1)
	n, stop := start(t, dir, r.URL)
	for _, amount := range []gateway.Microcents{0, 849, 850, 851, 900} {
		n.Note(spent(amount), budget)
	}
	body := r.next(t) // after a delivery that failed
	var m struct {
		Type string
		Data map[string]any
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil || m.Type != "budget.threshold" || m.Data["percent"] != 85.0 || m.Data["account"] != "key_a" ||
		m.Data["alias"] != "ci" || m.Data["limit_microcents"] != 1000.0 || m.Data["spent_microcents"] != 850.0 || m.Data["zone"] != "Europe/Vienna" {
		t.Errorf("%s, %v", body, err)
	}
	stop()
	n, stop = start(t, dir, r.URL)
	n.Note(spent(950), budget) // was told before the restart
	n.Note(spent(1000), budget)
	if body := r.next(t); !strings.Contains(body, `"percent":100`) {
		t.Errorf("%s", body)
	}
	next := spent(1000)
	next.From = next.Until
	n.Note(next, budget) // a new period
	if a, b := r.next(t), r.next(t); !strings.Contains(a+b, `"percent":85`) || !strings.Contains(a+b, `"percent":100`) {
		t.Errorf("%s %s", a, b)
	}
	n.Note(spent(900), gateway.Budget{})
	n.Note(spent(900), gateway.Budget{Limited: true})
	stop()
	if len(r.got) > 0 {
		t.Errorf("one more came: %s", <-r.got)
	}
}

// What could not be sent before the process ended is sent by the next.
func TestAlertsWaitForTheirReceiver(t *testing.T) {
	dir := t.TempDir()
	n, stop := start(t, dir, "http://127.0.0.1:1/nobody")
	n.Note(spent(900), budget)
	stop()
	r := newReceiver(t)
	_, stop = start(t, dir, r.URL)
	defer stop()
	if body := r.next(t); !strings.Contains(body, `"percent":85`) {
		t.Errorf("%s", body)
	}
}

func TestNoteNeverWaits(t *testing.T) {
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then does the server look whether the caller has gone
		<-r.Context().Done()
	}))
	defer hangs.Close()
	n, stop := start(t, t.TempDir(), hangs.URL)
	begun := time.Now()
	for i := range 10_000 {
		st := spent(gateway.Microcents(math.MaxInt64 - int64(i)))
		n.Note(st, gateway.Budget{Limited: true, Limit: math.MaxInt64})
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("10,000 notes took %v", took)
	}
	stop()
}

func TestConfigurationIsChecked(t *testing.T) {
	for _, c := range []alerts.Config{{URL: "ftp://x", Secret: secret}, {URL: "", Secret: secret}, {URL: "http://x", Secret: "short"}} {
		if _, err := alerts.Start(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// A refusal is told as 100 %, once, with what was spent; runs are not told of.
func TestARefusalIsToldAsAllSpent(t *testing.T) {
	r, dir := newReceiver(t), t.TempDir()
	n, stop := start(t, dir, r.URL)
	run := gateway.AccountState{ID: gateway.RunAccount("key_a", "r"), Spent: 1000}
	n.Note(run, gateway.Budget{Limited: true, Limit: 1000})
	refused := spent(700)
	refused.Refused = true
	n.Note(refused, budget)
	n.Note(refused, budget)
	if body := r.next(t); !strings.Contains(body, `"percent":100`) || !strings.Contains(body, `"refused":true`) || !strings.Contains(body, `"spent_microcents":700`) {
		t.Errorf("%s", body)
	}
	n.Note(spent(1000), budget)
	if body := r.next(t); !strings.Contains(body, `"percent":85`) {
		t.Errorf("%s", body)
	}
	stop()
	if len(r.got) > 0 {
		t.Errorf("one more came: %s", <-r.got)
	}
}

// One that the receiver refuses does not keep the others from it, and is given up after a
// day.
func TestARefusedAlertStopsNoOther(t *testing.T) {
	got := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"account":"key_bad"`) {
			w.WriteHeader(http.StatusBadRequest)
		}
		got <- string(body)
	}))
	defer server.Close()
	dir := t.TempDir()
	keys, err := ledger.OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, age := range []time.Duration{25 * time.Hour, time.Hour, 0} {
		a := gateway.BudgetAlert{ID: []string{"old", "refused", "good"}[i], Account: []string{"key_bad", "key_bad", "key_a"}[i], Percent: 85,
			Budget: budget, At: time.Now().Add(-age)}
		if err := keys.PutAlert(t.Context(), &a); err != nil {
			t.Fatal(err)
		}
	}
	if err := keys.Close(); err != nil {
		t.Fatal(err)
	}
	n, stop := start(t, dir, server.URL)
	next := func(account string) {
		t.Helper()
		select {
		case body := <-got:
			if !strings.Contains(body, `"account":"`+account+`"`) {
				t.Errorf("%s came, not that of %s", body, account)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no alert of %s came", account)
		}
	}
	next("key_bad")
	next("key_bad")
	next("key_a")
	n.Note(spent(900), budget) // at once, though another waits
	next("key_a")
	next("key_bad") // again
	stop()
	if keys, err = ledger.OpenKeys(dir); err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	left, err := keys.PendingAlerts(t.Context())
	if err != nil || len(left) != 1 || left[0].ID != "refused" {
		t.Errorf("%+v, %v", left, err)
	}
}
