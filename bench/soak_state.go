package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// admin is where the gateway tells how many goroutines it has; nil if it cannot.
type admin struct{ base, token string }

// administered readies the rig for a gateway that serves its profiles.
func (r *rig) administered(ctx context.Context) (*admin, error) {
	if err := r.build(ctx); err != nil {
		return nil, err
	}
	help, err := exec.CommandContext(ctx, r.binary, "serve", "--help").CombinedOutput()
	if err != nil {
		return nil, err
	}
	if !strings.Contains(string(help), "--pprof") {
		return nil, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // to learn of a free port
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	const token = "bench-admin-token-bench-admin-token"
	r.flags = append(r.flags, "--admin-addr", addr, "--pprof")
	r.env = append(r.env, "LLM_GATEWAY_ADMIN_TOKEN="+token)
	return &admin{"http://" + addr, token}, nil
}

var profileTotal = regexp.MustCompile(`goroutine profile: total (\d+)`)

func (a *admin) goroutines(ctx context.Context) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"/debug/pprof/goroutine?debug=1", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Close = true // the connection would be one goroutine more
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	found := profileTotal.FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("goroutine profile: HTTP %d without a total", res.StatusCode)
	}
	return strconv.ParseInt(string(found[1]), 10, 64)
}

// state is what a process holds. goroutines is -1 where it does not tell.
type state struct{ goroutines, files, rss int64 }

func (s *state) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %s", s.goroutines, s.files, mib(s.rss))
}

// held is one figure before and after.
type held struct {
	name, want    string
	before, after int64
	ok            bool
}

func (s *state) against(after *state) []held {
	all := []held{
		{"file descriptors afterwards", "as before, 5 more or less", s.files, after.files, after.files <= s.files+5},
		{"RSS afterwards, MiB", "as before, 5 % and 5 MiB more or less", s.rss >> 20, after.rss >> 20, after.rss <= s.rss+s.rss/20+5<<20},
	}
	if s.goroutines >= 0 {
		all = append(all, held{"goroutines afterwards", "as before, 5 more or less", s.goroutines, after.goroutines, after.goroutines <= s.goroutines+5})
	}
	return all
}

func stateOf(ctx context.Context, p *process, a *admin) (*state, error) {
	s := &state{goroutines: -1}
	if a != nil {
		n, err := a.goroutines(ctx)
		if err != nil {
			return nil, err
		}
		s.goroutines = n
	}
	files, err := p.files()
	if err != nil {
		return nil, err
	}
	s.files = int64(files)
	s.rss, err = p.rss()
	return s, err
}

// quiet waits until idle connections are closed, and gives what is left. It does not
// wait longer than it must for a state that is no worse than before.
func (s *soak) quiet(ctx context.Context, p *process, a *admin, before *state) (*state, error) {
	s.say("quiet for up to %s", s.settle)
	for end := time.Now().Add(s.settle); ; {
		now, err := stateOf(ctx, p, a)
		if err != nil || ctx.Err() != nil || time.Now().After(end) {
			return now, err
		}
		if before != nil {
			good := true
			for _, one := range before.against(now) {
				good = good && one.ok
			}
			if good {
				return now, nil
			}
		}
		sleepUntil(ctx, time.Now().Add(time.Second))
	}
}

// spendLine is one line of /v1/spend.
type spendLine struct {
	Group     map[string]string `json:"group"`
	Attempts  int64             `json:"attempts"`
	Cost      int64             `json:"cost_microcents"`
	Estimated int64             `json:"estimated_microcents"`
}

// spendBy asks the gateway what was spent.
func spendBy(ctx context.Context, t *target, by string) ([]spendLine, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(t.url, "/chat/completions")+"/spend?by="+by, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+t.key)
	res, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, refusalOf(res)
	}
	var answer struct {
		Groups []spendLine `json:"groups"`
	}
	return answer.Groups, json.NewDecoder(res.Body).Decode(&answer)
}
