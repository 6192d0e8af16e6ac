package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// told is what clients were told: the requests whose answers came whole. Each carries an
// id that the provider and the books see too.
type told struct {
	mu    sync.Mutex
	whole map[string]string // id of the client's to that of the gateway
	sent  int
}

func newTold() *told { return &told{whole: map[string]string{}} }

// load asks until the gateway is gone.
func (t *told) load(ctx context.Context, base string, callers, cycle int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if !t.ask(ctx, client, base, fmt.Sprintf("c%d-%d-%d", cycle, i, n), (i+n)%2 == 0) {
					return
				}
			}
		})
	}
	all.Wait()
}

// ask makes one call; false when the gateway is gone.
func (t *told) ask(ctx context.Context, client *http.Client, base, id string, stream bool) bool {
	body := fmt.Appendf(nil, `{"model":"auto","max_tokens":%d,"stream":%v,"messages":[{"role":"user","content":"[[id:%s]] %s"}]}`, killMax, stream, id, prompt(400))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+benchKey)
	req.Header.Set("X-Gateway-Tags", "id="+id)
	req.Header.Set("X-Gateway-Hedge", "off")
	req.Header.Set("X-Gateway-Run", killRun)
	req.Header.Set("X-Gateway-Run-Max-Cost-Microcents", fmt.Sprint(killLimit))
	t.mu.Lock()
	t.sent++
	t.mu.Unlock()
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return false
	}
	if res.StatusCode != http.StatusOK || stream && !bytes.Contains(text, []byte("data: [DONE]")) {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.whole[id] = res.Header.Get("X-Gateway-Request-Id")
	return true
}
