package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gateway"
)

// Outbox keeps alerts until they are sent. It is satisfied by ledger.Keys.
type Outbox interface {
	PutAlert(ctx context.Context, a *gateway.BudgetAlert) error
	PendingAlerts(ctx context.Context) ([]gateway.BudgetAlert, error)
	SentAlert(ctx context.Context, id string, at time.Time) error
	DropAlert(ctx context.Context, id string, at time.Time) error // it is not tried any more
}

// Config of a Notifier. All fields but Log and Name are required.
type Config struct {
	URL    string
	Secret string // signs what is sent; at least 16 characters, or whsec_ and base64
	Outbox Outbox
	Name   func(account string) string // an alias for people; nil: none
	Log    *slog.Logger
}

// parts of a limit at which an alert is made, in percent. The last is also made when the
// budget refuses a request for the first time in a period: since an upper bound must fit,
// that comes before all is spent.
var parts = []int{85, 100}

// How long one delivery may take, how long is waited after one that failed, and for how
// long an alert is tried: whoever mends its receiver within a day misses nothing, whatever
// the receiver said before.
const (
	deliveryWait = 10 * time.Second
	lastWait     = 2 * time.Second // for a delivery that runs when the sending is stopped
	firstPause   = time.Second
	longestPause = 5 * time.Minute
	longestTry   = 24 * time.Hour
)

// Notifier sends alerts. Make it with Start, end it with Stop.
type Notifier struct {
	cfg    Config
	hook   *webhooks.Webhook
	client *http.Client

	mu    sync.Mutex
	known map[string]bool // ids that were put or are about to be
	fresh []gateway.BudgetAlert

	tries map[string]try // of the alerts that could not be sent yet; the sender's own

	wake chan struct{}
	stop context.CancelFunc
	over chan struct{}
}

// try is when an alert is sent again, and how long was waited for that.
type try struct {
	at    time.Time
	pause time.Duration
}

// Start makes the one goroutine that sends.
func Start(cfg Config) (*Notifier, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("the webhook of budget alerts must be an http(s) URL")
	}
	if len(cfg.Secret) < 16 {
		return nil, errors.New("the secret of budget alerts needs at least 16 characters")
	}
	hook, err := webhooks.NewWebhook(cfg.Secret)
	if err != nil || len(cfg.Secret) < 6 || cfg.Secret[:6] != "whsec_" { // a plain text is taken as it is
		if hook, err = webhooks.NewWebhookRaw([]byte(cfg.Secret)); err != nil {
			return nil, errors.New("the secret of budget alerts cannot be used")
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &Notifier{cfg: cfg, hook: hook, known: map[string]bool{}, tries: map[string]try{}, wake: make(chan struct{}, 1), stop: stop, over: make(chan struct{}),
		client: &http.Client{Timeout: deliveryWait, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	go n.run(ctx) // ends with Stop
	return n, nil
}

// Note looks at what stands on an account. It is called after every settled attempt and
// every refusal, and never waits. Runs are left out: clients make as many as they like.
func (n *Notifier) Note(st gateway.AccountState, b gateway.Budget) {
	if !b.Limited || b.Limit <= 0 || st.IsRun() {
		return
	}
	for _, part := range parts {
		if st.Spent < partOf(b.Limit, part) && !(st.Refused && part == 100) {
			continue
		}
		id := fmt.Sprintf("%s-%d-%d-%d", st.ID, st.From.Unix(), b.Limit, part)
		n.mu.Lock()
		if !n.known[id] {
			n.known[id] = true
			n.fresh = append(n.fresh, gateway.BudgetAlert{ID: id, Account: st.ID, Percent: part, Spent: st.Spent, Budget: b,
				Begun: st.From, Until: st.Until, At: time.Now()})
			select {
			case n.wake <- struct{}{}:
			default:
			}
		}
		n.mu.Unlock()
	}
}

// partOf is so many percent of a limit, rounded up, without passing 2^63.
func partOf(limit gateway.Microcents, percent int) gateway.Microcents {
	p := gateway.Microcents(percent)
	return limit/100*p + (limit%100*p+99)/100
}

// Stop ends the sending. What is not sent is sent by the next process.
func (n *Notifier) Stop() {
	n.stop()
	<-n.over
	n.client.CloseIdleConnections()
}

func (n *Notifier) run(ctx context.Context) {
	defer close(n.over)
	// A delivery that was answered and not noted would be made again by the next process.
	last, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWait, cut) })()
	pause := firstPause
	for {
		next, err := n.round(ctx, last)
		if err == nil {
			pause = firstPause
		} else if ctx.Err() == nil {
			n.cfg.Log.Warn("the outbox of budget alerts cannot be used", "err", err, "again_in", pause)
			next, pause = pause, min(2*pause, longestPause)
		}
		wait := time.NewTimer(next)
		select {
		case <-ctx.Done():
			wait.Stop()
			n.keep(context.Background())
			return
		case <-wait.C:
		case <-n.wakeUnless(err):
			wait.Stop()
		}
	}
}

// wakeUnless: where nothing can be kept, a new alert does not cut the pause short.
func (n *Notifier) wakeUnless(err error) <-chan struct{} {
	if err != nil {
		return nil
	}
	return n.wake
}

// round keeps what is new and sends what is kept and due, until ctx ends; what it is at
// then goes on until last does. One that cannot be sent does not stop the others. next is
// when the next is due; the error is the outbox's.
func (n *Notifier) round(ctx, last context.Context) (next time.Duration, err error) {
	if err := n.keep(last); err != nil {
		return 0, err
	}
	pending, err := n.cfg.Outbox.PendingAlerts(last)
	if err != nil {
		return 0, err
	}
	next = longestPause
	still := make(map[string]try, len(pending))
	for i := range pending {
		a := &pending[i]
		t := n.tries[a.ID]
		if time.Until(t.at) <= 0 && ctx.Err() == nil {
			again, serr := n.deliver(last, a, t)
			err = errors.Join(err, serr)
			if t = again; t.at.IsZero() {
				continue
			}
		}
		still[a.ID] = t
		next = min(next, max(0, time.Until(t.at)))
	}
	n.tries = still
	return next, err
}

// deliver sends an alert, and says when it is to be sent again; the zero try: it is not.
func (n *Notifier) deliver(last context.Context, a *gateway.BudgetAlert, t try) (try, error) {
	noting := context.WithoutCancel(last)
	err := n.send(last, a)
	if err == nil {
		return try{}, n.cfg.Outbox.SentAlert(noting, a.ID, time.Now())
	}
	if time.Since(a.At) > longestTry && last.Err() == nil {
		n.cfg.Log.Error("a budget alert is given up: its receiver did not take it for a day", "err", err, "alert", a.ID)
		return try{}, n.cfg.Outbox.DropAlert(noting, a.ID, time.Now())
	}
	t.pause = min(max(firstPause, 2*t.pause), longestPause)
	t.at = time.Now().Add(t.pause/2 + rand.N(t.pause)) // spread, so that many gateways do not come back together
	n.cfg.Log.Warn("a budget alert could not be sent yet", "err", err, "alert", a.ID, "again_at", t.at)
	return t, nil
}

func (n *Notifier) keep(ctx context.Context) error {
	n.mu.Lock()
	fresh := n.fresh
	n.fresh = nil
	n.mu.Unlock()
	for i := range fresh {
		if err := n.cfg.Outbox.PutAlert(ctx, &fresh[i]); err != nil {
			n.mu.Lock()
			n.fresh = append(fresh[i:], n.fresh...)
			n.mu.Unlock()
			return err
		}
	}
	return nil
}

// message is what is sent. Amounts are microcents: 1 USD is 10⁸.
type message struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	Account string             `json:"account"`
	Alias   string             `json:"alias,omitempty"`
	Percent int                `json:"percent"`
	Spent   gateway.Microcents `json:"spent_microcents"`
	Limit   gateway.Microcents `json:"limit_microcents"`
	Every   gateway.Period     `json:"every,omitempty"`
	Zone    string             `json:"zone,omitempty"`
	Begun   time.Time          `json:"period_begun,omitzero"`
	Until   time.Time          `json:"period_ends,omitzero"`
	Refused bool               `json:"refused,omitempty"` // a request was refused before all was spent
}

// send delivers one alert as the Standard Webhooks specification says
// (standardwebhooks.com): its id stays the same over tries, so that a receiver can tell
// one that came twice.
func (n *Notifier) send(ctx context.Context, a *gateway.BudgetAlert) error {
	m := message{"budget.threshold", a.At.UTC(), data{a.Account, "", a.Percent, a.Spent, a.Budget.Limit, a.Budget.Every, a.Budget.Zone, a.Begun, a.Until,
		a.Percent == 100 && a.Spent < a.Budget.Limit}}
	if n.cfg.Name != nil {
		m.Data.Alias = n.cfg.Name(a.Account)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	now := time.Now()
	signature, err := n.hook.Sign(a.ID, now, body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the webhook's URL cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("webhook-id", a.ID)
	req.Header.Set("webhook-timestamp", fmt.Sprint(now.Unix()))
	req.Header.Set("webhook-signature", signature)
	res, err := n.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // a URL may hold a secret
			err = wrapped.Err
		}
		return fmt.Errorf("calling the webhook: %w", err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answered %d", res.StatusCode)
	}
	return nil
}
