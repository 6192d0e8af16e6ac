package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"gateway"
	"gateway/ledger"
	"gateway/route"
)

// fake is an upstream whose behaviour is a function of the call.
type fake struct {
	open  func(ctx context.Context, call *gateway.Call) (gateway.Stream, error)
	calls atomic.Int64
}

func (f *fake) Open(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
	f.calls.Add(1)
	if call.OnReady != nil {
		if err := call.OnReady(); err != nil {
			return nil, err
		}
	}
	if call.OnSent != nil {
		call.OnSent()
	}
	return f.open(ctx, call)
}

func (f *fake) Embed(context.Context, *gateway.Call) (*gateway.Embeddings, error) {
	return nil, gateway.Errorf(gateway.Unsupported, "no embeddings")
}

// steps is a stream of prepared chunks, each after a pause.
type steps struct {
	ctx    context.Context
	chunks []gateway.Chunk
	pause  []time.Duration
	end    error
	at     int
	closed atomic.Bool
}

func (s *steps) Next() (gateway.Chunk, error) {
	if s.at < len(s.pause) && s.pause[s.at] > 0 {
		select {
		case <-time.After(s.pause[s.at]):
		case <-s.ctx.Done():
			return gateway.Chunk{}, gateway.Errorf(gateway.Canceled, "cut")
		}
	}
	if s.ctx.Err() != nil {
		return gateway.Chunk{}, gateway.Errorf(gateway.Canceled, "cut")
	}
	if s.at == len(s.chunks) {
		return gateway.Chunk{}, s.end
	}
	s.at++
	return s.chunks[s.at-1], nil
}

func (s *steps) Close() error { s.closed.Store(true); return nil }

func says(text string, after time.Duration) func(context.Context, *gateway.Call) (gateway.Stream, error) {
	return func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
		usage := &gateway.Usage{Fresh: 10, Output: 3, Reported: true}
		return &steps{ctx: ctx, end: io.EOF, pause: []time.Duration{after},
			chunks: []gateway.Chunk{{Text: text}, {Finish: gateway.FinishStop, Usage: usage}}}, nil
	}
}

func fails(kind gateway.Kind, status int) func(context.Context, *gateway.Call) (gateway.Stream, error) {
	return func(context.Context, *gateway.Call) (gateway.Stream, error) {
		return nil, &gateway.Error{Kind: kind, Status: status, Message: "no", Sent: true}
	}
}

// books keeps rows in memory: durable at once.
type books struct {
	mu   sync.Mutex
	rows []gateway.Entry

	accounts *ledger.Accounts // nil: nobody has a budget
	failing  error
	full     error
	begun    []gateway.Outset
}

func (b *books) Begin(_ context.Context, o *gateway.Outset) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun = append(b.begun, *o)
	return b.failing
}

func (b *books) Failing() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failing
}

func (b *books) Full() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full
}

func (b *books) Submit(e gateway.Entry, h gateway.Hold, unsure gateway.Microcents, done func(error)) {
	b.mu.Lock()
	b.rows = append(b.rows, e)
	b.mu.Unlock()
	if b.accounts != nil {
		b.accounts.Settle(h, e.Cost, unsure)
	}
	done(nil)
}

func (b *books) all() []gateway.Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows := slices.Clone(b.rows)
	slices.SortStableFunc(rows, func(x, y gateway.Entry) int {
		return cmp.Or(strings.Compare(x.Request, y.Request), x.Attempt-y.Attempt)
	})
	return rows
}

type catalog []*gateway.Model

func (c catalog) Resolve(asked string) ([]*gateway.Model, bool, error) {
	if asked == "" || asked == "auto" {
		return c, false, nil
	}
	for _, m := range c {
		if m.Provider+"/"+m.Name == asked {
			return []*gateway.Model{m}, true, nil
		}
	}
	return nil, false, gateway.Errorf(gateway.UnknownModel, "no model %s", asked)
}

func (c catalog) ResolveEmbedding(asked string) ([]*gateway.Model, bool, error) {
	return c.Resolve(asked)
}

func model(provider string, price gateway.Picodollars) *gateway.Model {
	return &gateway.Model{Provider: provider, Name: provider + "-1", Kind: "fake", Protocol: gateway.Protocol{Maker: "fake"}, Bills: gateway.BillsSeen,
		Can:    gateway.Abilities{Chat: true, Tools: true},
		Tariff: &gateway.Tariff{Base: gateway.Rates{Input: price, CachedRead: price, Output: 4 * price}, Date: "2026-11-10"}}
}

// setup makes a system over fakes, named a, b, c… from cheap to dear.
func setup(t *testing.T, change func(*Config), ups ...*fake) (*System, *books) {
	t.Helper()
	b := &books{}
	cfg := Config{Books: b, Times: route.Default(), Rand: func() float64 { return 0.5 },
		Estimate: Estimate{Prompt: func(n, _, _ int) int { return n / 4 }}}
	var models catalog
	for i, up := range ups {
		name := string(rune('a' + i))
		m := model(name, gateway.Picodollars(100_000*(i+1)))
		models = append(models, m)
		cfg.Providers = append(cfg.Providers, Provider{Name: name, Kind: "fake", Default: m, Upstream: up, Models: []*gateway.Model{m}})
	}
	cfg.Catalog = models
	if change != nil {
		change(&cfg)
	}
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

func ask(id string, stream bool) *gateway.Request {
	return &gateway.Request{ID: id, Stream: stream, PromptBytes: 400, Messages: 1}
}

func stopped(t *testing.T, s *System) {
	t.Helper()
	s.Stop(t.Context())
	time.Sleep(2 * time.Second) // the actor library's throttle keeps a ticker; fake time
}

func text(t *testing.T, a *gateway.Answer) string {
	t.Helper()
	if a.Completion != nil {
		return a.Completion.Choices[0].Text
	}
	c, err := gateway.Collect(a.Stream)
	if err != nil {
		t.Fatalf("stream: %v", err)
	}
	return c.Choices[0].Text
}

func TestCheapestFirstThenFallback(t *testing.T) {
	for _, stream := range []bool{false, true} {
		for _, kind := range []gateway.Kind{gateway.Unavailable, gateway.RateLimited, gateway.Overloaded, gateway.BadAnswer,
			gateway.Unsupported, gateway.ProviderAuth, gateway.ProviderBilling, gateway.ContextLength, gateway.Internal} {
			t.Run(fmt.Sprint(kind, stream), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, b := setup(t, nil, &fake{open: fails(kind, 400)}, &fake{open: says("hello", time.Second)})
					answer, err := s.Route(t.Context(), ask("r1", stream))
					if err != nil {
						t.Fatal(err)
					}
					if got := text(t, answer); got != "hello" || answer.Provider != "b" {
						t.Errorf("got %q from %s, want hello from b", got, answer.Provider)
					}
					stopped(t, s)
					rows := b.all()
					last := rows[len(rows)-1]
					if len(rows) < 2 || rows[0].Outcome != kind.String() || rows[0].Winner || !last.Winner || last.Outcome != "ok" {
						t.Errorf("rows = %+v", rows)
					}
					if want := gateway.Microcents(10*200_000+3*800_000) / 10_000; last.Cost != want {
						t.Errorf("cost %d, want %d", last.Cost, want)
					}
				})
			})
		}
	}
}

func TestClientsOwnErrorIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := &fake{open: says("never", 0)}
		s, _ := setup(t, nil, &fake{open: fails(gateway.Invalid, 400)}, second)
		_, err := s.Route(t.Context(), ask("r1", true))
		if gateway.KindOf(err) != gateway.Invalid || second.calls.Load() != 0 {
			t.Errorf("err = %v after %d calls to the second; want invalid after none", err, second.calls.Load())
		}
		stopped(t, s)
	})
}

func TestFinalErrorNamesEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := setup(t, nil, &fake{open: fails(gateway.ProviderAuth, 401)}, &fake{open: fails(gateway.Overloaded, 529)})
		_, err := s.Route(t.Context(), ask("r1", false))
		var e *gateway.Error
		if !errors.As(err, &e) || len(e.Attempts) != 3 || e.Attempts[0].Provider != "a" || e.Attempts[2].Outcome != "overloaded" {
			t.Errorf("err = %+v", err)
		}
		stopped(t, s)
	})
}

func TestBrokenStream(t *testing.T) {
	broken := func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
		return &steps{ctx: ctx, chunks: []gateway.Chunk{{Text: "half"}}, end: &gateway.Error{Kind: gateway.Unavailable, Message: "cut", Sent: true}}, nil
	}
	synctest.Test(t, func(t *testing.T) {
		s, b := setup(t, nil, &fake{open: broken}, &fake{open: says("whole", 0)})
		answer, err := s.Route(t.Context(), ask("r1", false))
		if err != nil || text(t, answer) != "whole" {
			t.Errorf("a client that does not stream got %v, %v; want the next provider's whole answer", answer, err)
		}
		answer, err = s.Route(t.Context(), ask("r2", true))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gateway.Collect(answer.Stream); gateway.KindOf(err) != gateway.Unavailable {
			t.Errorf("a streaming client got %v, want unavailable", err)
		}
		stopped(t, s)
		if rows := b.all(); len(rows) != 3 || rows[0].Source != gateway.UsageEstimated || rows[0].Cost == 0 {
			t.Errorf("rows = %+v; want three, the cut ones estimated", rows)
		}
	})
}

func TestHedgeStartsAfterDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fake{open: says("slow", time.Minute)}
		s, b := setup(t, func(c *Config) { c.HedgeAfter = time.Second }, slow, &fake{open: says("quick", 200*time.Millisecond)})
		begun := time.Now()
		answer, err := s.Route(t.Context(), ask("r1", true))
		if err != nil || text(t, answer) != "quick" || !answer.Hedged || answer.Attempts != 2 {
			t.Fatalf("answer = %+v, %v", answer, err)
		}
		if took := time.Since(begun); took != 1200*time.Millisecond {
			t.Errorf("answered after %v, want exactly 1.2s", took)
		}
		stopped(t, s)
		rows := b.all()
		if len(rows) != 2 || rows[0].Outcome != "canceled" || rows[0].Source != gateway.UsageEstimated || rows[1].Role != gateway.Hedge {
			t.Errorf("rows = %+v", rows)
		}
	})
}

func TestClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := setup(t, nil, &fake{open: says("late", time.Hour)})
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		begun := time.Now()
		_, err := s.Route(ctx, ask("r1", true))
		if gateway.KindOf(err) != gateway.Canceled || time.Since(begun) != time.Second {
			t.Errorf("err = %v after %v", err, time.Since(begun))
		}
		stopped(t, s)
		if rows := b.all(); len(rows) != 1 || rows[0].Outcome != "canceled" {
			t.Errorf("rows = %+v", rows)
		}
	})
}

// A panic anywhere costs at most the request whose event it was.
func TestPanicsLoseOnlyTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		poisoned := func(id string) bool { return strings.HasPrefix(id, "poison") }
		first := &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
			if poisoned(call.Request.ID) {
				panic("on purpose")
			}
			return says("first", time.Second)(ctx, call)
		}}
		s, b := setup(t, nil, first, &fake{open: says("second", time.Second)})
		var wg sync.WaitGroup
		var lost atomic.Int64
		for i := range 1000 {
			id, want := fmt.Sprint("r", i), "first"
			if i%10 == 0 {
				id, want = fmt.Sprint("poison", i), "second"
			}
			wg.Go(func() {
				answer, err := s.Route(t.Context(), ask(id, i%2 == 0))
				if err != nil || text(t, answer) != want {
					lost.Add(1)
				}
			})
			if i == 500 {
				s.root.Send(s.router, begin{nil}) // makes the router itself panic
				s.tell(refused{})                 // and again, in another of its events
				for _, host := range hosts(t, s) {
					s.root.Send(host, try{})   // a provider actor panics, and its report makes the router panic
					s.root.Send(host, ended{}) // and once more, after its restart
				}
			}
		}
		wg.Wait()
		if n := lost.Load(); n != 0 {
			t.Errorf("%d requests lost, want 0: the poisoned ones fall back", n)
		}
		stopped(t, s)
		if rows := b.all(); len(rows) != 1000+100 {
			t.Errorf("%d rows, want one per attempt", len(rows))
		}
	})
}

// brittle are books that panic on the rows of some requests.
type brittle struct{ books }

func (b *brittle) Submit(e gateway.Entry, h gateway.Hold, unsure gateway.Microcents, done func(error)) {
	if strings.HasPrefix(e.Request, "poison") {
		panic("on purpose")
	}
	b.books.Submit(e, h, unsure, done)
}

// A panic in the ledger actor costs one row, with an alarm: the request that it belongs
// to is not kept waiting, no other request feels it, and the actor goes on with what it
// had added up.
func TestLedgerPanicsLoseOnlyTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &brittle{}
		var alarms, lost atomic.Int64
		s, _ := setup(t, func(c *Config) {
			c.Books = b
			c.OnLedgerError = func(error) { alarms.Add(1) }
		}, &fake{open: says("first", time.Second)})
		begun := time.Now()
		var wg sync.WaitGroup
		for i := range 1000 {
			id := fmt.Sprint("r", i)
			if i%10 == 0 {
				id = fmt.Sprint("poison", i)
			}
			wg.Go(func() {
				answer, err := s.Route(t.Context(), ask(id, i%2 == 0))
				if err != nil || text(t, answer) != "first" {
					lost.Add(1)
				}
			})
		}
		wg.Wait()
		if n, took := lost.Load(), time.Since(begun); n != 0 || took >= settleWait {
			t.Errorf("%d requests lost, the last after %v; want none, and none that waits for a row that never comes", n, took)
		}
		totals := s.Totals()[[2]string{"a", "a-1"}]
		stopped(t, s)
		if rows := len(b.all()); rows != 900 || totals.Attempts != 900 || alarms.Load() != 100 {
			t.Errorf("%d rows, %d attempts in the totals, %d alarms; want 900, 900 and 100", rows, totals.Attempts, alarms.Load())
		}
	})
}

// hosts are the provider actors, once the router has spawned them.
func hosts(t *testing.T, s *System) []*actor.PID {
	t.Helper()
	var all []*actor.PID
	for _, site := range s.sites {
		all = append(all, s.actors.NewLocalPID("router/provider/"+site.cfg.Name))
	}
	return all
}

// A report without the prompt's size is completed by an estimate, and marked as one;
// what the provider did count stays.
func TestAnUnknownPromptIsEstimated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
			return &steps{ctx: ctx, end: io.EOF, chunks: []gateway.Chunk{{Text: "hello"},
				{Finish: gateway.FinishStop, Usage: &gateway.Usage{PromptUnknown: true, Output: 12, Reported: true}}}}, nil
		}}
		s, b := setup(t, nil, up)
		answer, err := s.Route(t.Context(), ask("r", false))
		if err != nil || text(t, answer) != "hello" {
			t.Fatal(err)
		}
		stopped(t, s)
		row := b.all()[0]
		if row.Source != gateway.UsageEstimated || row.Usage.Fresh != 104 || row.Usage.Output != 12 || row.Cost == 0 {
			t.Errorf("booked %+v as %s at %d, want a prompt of 400/4 and 4 for its message estimated, and 12 out", row.Usage, row.Source, row.Cost)
		}
	})
}
