package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"gateway"
)

// fund is the budget that one round spends: the cap of a run, a key's budget with a larger
// one of its team above it, or a team's that two keys share.
type fund struct {
	account string // whose limit is reached first
	limit   int64
	callers []http.Header // what the callers send, by turns
	read    func(ctx context.Context) (stands, error)
}

// stands is what the gateway says of an account, in microcents.
type stands struct {
	Account string `json:"account"`
	Limit   int64  `json:"limit_microcents"`
	Spent   int64  `json:"spent_microcents"`
	Held    int64  `json:"held_microcents"`
	Unsure  int64  `json:"unsure_microcents"`
}

// funds makes the budgets of the rounds through the API that a user would use.
type funds struct {
	base, admin string
	limit       int64
	zone        string // that budgets of a day begin in: not one whose day ends soon
}

const (
	adminVariable = "LLM_GATEWAY_ADMIN_TOKEN"
	adminToken    = "the-token-of-the-bench"
)

func newFunds(base, admin string, limit int64, now time.Time) *funds {
	f := &funds{base: base, admin: admin, limit: limit, zone: "UTC"}
	if hour := now.UTC().Hour(); hour >= 20 { // in Tokyo the day has begun at 15:00
		f.zone = "Asia/Tokyo"
	}
	return f
}

// of is the budget of a round: two of three are a run's, the others by turns a key's and a
// team's, for a day.
func (f *funds) of(ctx context.Context, round int) (*fund, error) {
	switch name := fmt.Sprintf("round-%d", round); round % 6 {
	case 3:
		return f.ofKeys(ctx, name, f.limit*3/2, f.limit, 1)
	case 0:
		return f.ofKeys(ctx, name, f.limit, f.limit*3/4, 2)
	default:
		return f.ofRun(name), nil
	}
}

func (f *funds) ofRun(name string) *fund {
	header := http.Header{"Authorization": {"Bearer " + benchKey}, "X-Gateway-Run": {name},
		"X-Gateway-Run-Max-Cost-Microcents": {fmt.Sprint(f.limit)}}
	return &fund{account: gateway.RunAccount("bench", name), limit: f.limit, callers: []http.Header{header},
		read: func(ctx context.Context) (s stands, err error) {
			return s, askAPI(ctx, http.MethodGet, f.base+"/v1/runs/"+name, benchKey, nil, &s)
		}}
}

// ofKeys makes a team and so many keys of it. The one key's limit is reached first if it is
// the smaller; of two that spend alike none comes to three quarters of their team's.
func (f *funds) ofKeys(ctx context.Context, name string, ofTeam, ofKey int64, keys int) (*fund, error) {
	type made struct{ ID, Secret string }
	budget := func(limit int64) map[string]any {
		return map[string]any{"limit_microcents": limit, "every": "day", "zone": f.zone}
	}
	create := func(wish map[string]any) (m made, err error) {
		return m, askAPI(ctx, http.MethodPost, f.admin+"/admin/keys", adminToken, wish, &m)
	}
	team, err := create(map[string]any{"team": true, "alias": name, "budget": budget(ofTeam)})
	if err != nil {
		return nil, err
	}
	b := &fund{account: team.ID, limit: ofTeam}
	var secrets []string
	for i := range keys {
		key, err := create(map[string]any{"alias": fmt.Sprintf("%s-%d", name, i), "parent": team.ID, "budget": budget(ofKey)})
		if err != nil {
			return nil, err
		}
		if ofKey < ofTeam && keys == 1 {
			b.account, b.limit = key.ID, ofKey
		}
		secrets = append(secrets, key.Secret)
		b.callers = append(b.callers, http.Header{"Authorization": {"Bearer " + key.Secret}})
	}
	b.read = func(ctx context.Context) (stands, error) { return f.readKeys(ctx, b.account, team.ID, secrets) }
	return b, f.inForce(ctx, b)
}

// inForce waits until the gateway takes the keys of a fund, which is within a second.
func (f *funds) inForce(ctx context.Context, b *fund) (err error) {
	for begun := time.Now(); time.Since(begun) < 2*time.Second; time.Sleep(10 * time.Millisecond) {
		if _, err = b.read(ctx); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return fmt.Errorf("new keys are not in force after 2 s: %w", err)
}

// readKeys is what stands on an account, as its keys are told, once it is seen that a
// team has what its keys have, and that nobody is over a limit.
func (f *funds) readKeys(ctx context.Context, account, team string, secrets []string) (of stands, err error) {
	var ofTeam, ofKeys stands
	for _, secret := range secrets {
		var said struct{ Budgets []stands }
		if err := askAPI(ctx, http.MethodGet, f.base+"/v1/spend", secret, nil, &said); err != nil {
			return of, err
		}
		for _, s := range said.Budgets {
			if s.Spent+s.Held+s.Unsure > s.Limit {
				return of, fmt.Errorf("an account is over its limit: %+v", s)
			}
			if s.Account == account {
				of = s
			}
			if s.Account == team {
				ofTeam = s
			} else {
				ofKeys.Spent, ofKeys.Held, ofKeys.Unsure = ofKeys.Spent+s.Spent, ofKeys.Held+s.Held, ofKeys.Unsure+s.Unsure
			}
		}
	}
	still := ofTeam.Held == 0 && ofKeys.Held == 0 // else they were read at several moments
	if still && (ofTeam.Spent != ofKeys.Spent || ofTeam.Unsure != ofKeys.Unsure) {
		return of, fmt.Errorf("a team has %+v and its keys %+v", ofTeam, ofKeys)
	}
	if of.Account == "" {
		return of, errors.New("a key is not told of its budget")
	}
	return of, nil
}

// askAPI calls an API that answers with JSON.
func askAPI(ctx context.Context, method, url, key string, wish, into any) error {
	var body io.Reader
	if wish != nil {
		text, err := json.Marshal(wish)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := spenderClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: HTTP %d %s", method, url, res.StatusCode, strings.TrimSpace(string(text[:min(len(text), 300)])))
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// freeAddress is a port of loopback that was free a moment ago.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
