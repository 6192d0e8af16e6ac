package api

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway"
)

// routed is a Router made of one function.
type routed func(ctx context.Context, req *gateway.Request) (*gateway.Answer, error)

func (f routed) Route(ctx context.Context, req *gateway.Request) (*gateway.Answer, error) {
	return f(ctx, req)
}

func (f routed) Status() []gateway.ProviderStatus {
	return []gateway.ProviderStatus{{Name: "deepseek", Model: "deepseek-flash", State: "closed",
		Models: []gateway.ModelStatus{{Model: "deepseek-flash", State: "closed", P50: 3 * time.Millisecond}}}}
}

type models []*gateway.Model

func (m models) Models() []*gateway.Model { return m }

// Resolve knows whole names only.
func (m models) Resolve(asked string) ([]*gateway.Model, bool, error) {
	for _, one := range m {
		if asked == one.Provider+"/"+one.Name {
			return []*gateway.Model{one}, true, nil
		}
	}
	return m, false, nil
}

type noBooks struct{}

func (noBooks) Spend(_ context.Context, q gateway.SpendQuery) ([]gateway.SpendLine, error) {
	for _, by := range q.By {
		if by == "nonsense" {
			return nil, gateway.Errorf(gateway.Invalid, "cannot group by nonsense")
		}
	}
	return []gateway.SpendLine{{Cost: 42}}, nil
}

func (noBooks) Request(context.Context, string) ([]gateway.Entry, error) { return nil, nil }

// prepared is a stream of chunks with an end; it notices being closed.
type prepared struct {
	chunks []gateway.Chunk
	end    error
	gate   chan struct{} // if set, waits for it before every chunk
	at     int
	once   sync.Once
	closed chan struct{}
}

func (p *prepared) Next() (gateway.Chunk, error) {
	if p.gate != nil {
		select {
		case <-p.gate:
		case <-p.closed:
			return gateway.Chunk{}, gateway.Errorf(gateway.Canceled, "closed")
		}
	}
	if p.at == len(p.chunks) {
		return gateway.Chunk{}, p.end
	}
	p.at++
	return p.chunks[p.at-1], nil
}

func (p *prepared) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func answers(chunks []gateway.Chunk, end error) routed {
	return func(_ context.Context, req *gateway.Request) (*gateway.Answer, error) {
		s := &prepared{chunks: chunks, end: end, closed: make(chan struct{})}
		a := &gateway.Answer{Provider: "deepseek", Model: "deepseek-flash", Attempts: 1}
		if req.Stream {
			a.Stream = s
			return a, nil
		}
		c, err := gateway.Collect(s)
		a.Completion, a.HasCost, a.Cost = c, true, 1234
		if err == nil && req.Check != nil {
			if cerr := req.Check(c); cerr != nil {
				return nil, &gateway.Error{Kind: gateway.BadAnswer, Text: c.Choices[0].Text}
			}
		}
		return a, err
	}
}

var hello = []gateway.Chunk{
	{Reasoning: "hm"}, {Text: "Hel"}, {Text: "lo\u2028"},
	{Tools: []gateway.ToolDelta{{Index: 0, ID: "call_1", Name: "f", Arguments: `{"a":`}}}, {Tools: []gateway.ToolDelta{{Index: 0, Arguments: `1}`}}},
	{Finish: gateway.FinishToolCalls, Usage: &gateway.Usage{Fresh: 7, CachedRead: 2, Output: 5, Reasoning: 1, Reported: true}},
}

func serve(t *testing.T, r routed, change func(*Config)) *httptest.Server {
	t.Helper()
	cfg := Config{}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg, r, models{{Provider: "deepseek", Name: "deepseek-flash"}, {Provider: "openai", Name: "text-embedding-3-small", Can: gateway.Abilities{Embeddings: true}}}, noBooks{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return srv
}

func post(t *testing.T, srv *httptest.Server, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest("POST", srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp, string(b)
}

const ask = `{"model":"auto","messages":[{"role":"user","content":"Hi"}]}`
