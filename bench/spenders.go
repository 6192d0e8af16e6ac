package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// spenders are the callers of one round. They share one budget.
type spenders struct {
	base    string
	fund    *fund
	outside *outside
	client  *http.Client
	freed   time.Duration

	answered, left, refused, unwarranted, busy atomic.Int64
	crowded                                    atomic.Int64 // refused for what others held, after a wait

	mu     sync.Mutex
	failed error
}

// spenderClient keeps its connections over all rounds.
var spenderClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 5000, DisableCompression: true}}

func newSpenders(base string, of *fund, outside *outside) *spenders {
	return &spenders{base: base, fund: of, outside: outside, client: spenderClient}
}

func (c *spenders) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = err
	}
}

func (c *spenders) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// spend lets the callers ask until each has been refused for want of budget.
func (c *spenders) spend(ctx context.Context, callers int, seed uint64) {
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			sleepUntil(ctx, time.Now().Add(time.Duration(random.Int64N(int64(purseSpread)))))
			for n := 0; ctx.Err() == nil && c.failure() == nil; n++ {
				if over := c.ask(ctx, c.fund.callers[i%len(c.fund.callers)], random, n); over {
					return
				}
			}
		})
	}
	all.Wait()
}

// ask makes one call; true when the budget is spent.
func (c *spenders) ask(ctx context.Context, header http.Header, random *rand.Rand, n int) (over bool) {
	stream, leaves, races := random.Float64() < shareStream, random.Float64() < drawLeft, random.Float64() < drawHedged
	body := fmt.Appendf(nil, `{"model":"auto","max_tokens":%d,"stream":%v,"messages":[{"role":"user","content":"Question %d of %d: %s"}]}`,
		purseMax, stream, n, random.Uint32(), prompt(200))
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		c.fail(err)
		return true
	}
	req.Header = header.Clone()
	req.Header.Set("Content-Type", "application/json")
	if races {
		req.Header.Set("X-Gateway-Hedge", "force")
	}
	if leaves || races {
		c.outside.mayCut.Add(1)
		defer func() {
			if over || !races && ctx.Err() == nil { // it had no attempt, or went on to its end
				c.outside.mayCut.Add(-1)
			}
		}()
	}
	if leaves && !stream {
		late := time.AfterFunc(time.Duration(random.Int64N(int64(purseFirst+purseTokens*purseGap))), leave)
		defer late.Stop()
	}
	res, err := c.client.Do(req)
	if err != nil {
		c.wentAway(ctx, leaves, err)
		return false
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return c.refusal(res)
	}
	if leaves && stream {
		c.leaveMidway(res.Body, random.IntN(6), leave)
		return false
	}
	text, err := c.read(res.Body, stream)
	if err != nil {
		c.wentAway(ctx, leaves, err)
		return false
	}
	if refused := late(text); refused != nil { // after a comment had to keep the line open
		return c.refused402(refused)
	}
	c.answered.Add(1)
	return false
}

// late is an error that came in the stream, because the status line had gone; nil if
// there is none.
func late(text []byte) []byte {
	if i := bytes.LastIndex(text, []byte(`data: {"error":`)); i >= 0 {
		line, _, _ := bytes.Cut(text[i+len("data: "):], []byte("\n"))
		return line
	}
	return nil
}

func (c *spenders) wentAway(ctx context.Context, leaves bool, err error) {
	if leaves && ctx.Err() != nil {
		c.left.Add(1)
		return
	}
	c.fail(err)
}

// leaveMidway reads some chunks and goes.
func (c *spenders) leaveMidway(body io.Reader, chunks int, leave func()) {
	lines := bufio.NewReader(body)
	for chunks > 0 {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			break
		}
		if bytes.HasPrefix(line, []byte("data:")) {
			chunks--
		}
	}
	leave()
	c.left.Add(1)
}

func (c *spenders) read(body io.Reader, stream bool) ([]byte, error) {
	text, err := io.ReadAll(body)
	switch {
	case err != nil:
		return nil, err
	case stream && late(text) == nil && !bytes.Contains(text, []byte("data: [DONE]")):
		return nil, fmt.Errorf("a stream ended without [DONE]: …%s", text[max(0, len(text)-300):])
	case !stream && !bytes.Contains(text, []byte(`"choices"`)):
		return nil, errors.New("the answer has no choices")
	}
	return text, nil
}

// refusal reads an answer that is none: of a budget, or that asks to come back.
func (c *spenders) refusal(res *http.Response) (over bool) {
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.fail(err)
		return true
	}
	if res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusTooManyRequests {
		c.busy.Add(1)
		time.Sleep(20 * time.Millisecond)
		return false
	}
	if res.StatusCode != http.StatusPaymentRequired {
		c.fail(fmt.Errorf("HTTP %d %s", res.StatusCode, text))
		return true
	}
	return c.refused402(text)
}

// refused402 checks that a refusal was right: it is of the account that has the least room,
// asks for no more than a call can cost, claims no more than the providers' side knows
// of, and by what it claims there was no room.
func (c *spenders) refused402(text []byte) bool {
	var said struct {
		Error struct {
			Code, Account                      string
			Spent, Held, Unsure, Limit, Needed int64
		}
	}
	if err := json.Unmarshal(text, &said); err != nil || said.Error.Code != "budget_exceeded" {
		c.fail(fmt.Errorf("an error that is none of the budget's: %s", text))
		return true
	}
	c.refused.Add(1)
	e := said.Error
	switch {
	case e.Account != c.fund.account || e.Limit != c.fund.limit,
		e.Needed > c.outside.hold(),
		e.Spent+e.Held+e.Needed <= e.Limit,
		!c.outside.now().allows(e.Spent, e.Unsure):
		c.unwarranted.Add(1)
	case e.Spent+e.Unsure+e.Needed <= e.Limit:
		c.crowded.Add(1)
	}
	return true
}
