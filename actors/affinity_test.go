package actors

import (
	"context"
	"io"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// A conversation stays where its prompt is cached while that is cheaper, and goes back
// to the cheapest when the cache has gone cold.
func TestConversationStaysWithItsCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		first := &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
			if broken {
				return nil, &gateway.Error{Kind: gateway.Unsupported, Status: 404}
			}
			return says("a", 0)(ctx, call)
		}}
		second := &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
			return &steps{ctx: ctx, end: io.EOF, chunks: []gateway.Chunk{{Text: "b"}, {Finish: "stop", Usage: &gateway.Usage{Fresh: 10_000, Output: 1, Reported: true}}}}, nil
		}}
		s, _ := setup(t, func(c *Config) { // b costs twice as much, and a tenth of a for what it has cached
			c.Providers[1].Default.Tariff.Base.CachedRead = 10_000
		}, first, second)
		turn := func(prefix uint64) string {
			req := ask("r", false)
			req.Prefix, req.PromptBytes, req.MaxTokens = prefix, 40_400, 10
			answer, err := s.Route(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			return answer.Provider
		}
		if got := turn(1); got != "b" {
			t.Fatalf("answered by %s, want b while a is broken", got)
		}
		broken = false
		if got := turn(1); got != "b" {
			t.Errorf("the next turn went to %s, want b, which holds its cache", got)
		}
		if got := turn(2); got != "a" {
			t.Errorf("another conversation went to %s, want the cheapest", got)
		}
		time.Sleep(cacheLife)
		if got := turn(1); got != "a" {
			t.Errorf("with a cold cache it went to %s, want the cheapest", got)
		}
		stopped(t, s)
	})
}

// What a busy gateway remembers of conversations is small, and keeps no request alive.
func TestAffinityIsSmall(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var a affinity
	for i := range 2 * conversationMost {
		a.keep(conversation{key: "key", session: "a session of a client " + strconv.Itoa(i), prefix: 7}, held{prompt: i, at: time.Now()})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if took := int64(after.HeapAlloc) - int64(before.HeapAlloc); took > 3<<20 {
		t.Errorf("%d conversations take %d KiB, want at most 3 MiB", 2*conversationMost, took>>10)
	}
	if h, ok := a.find(conversation{key: "key", session: "a session of a client 39999", prefix: 7}, time.Now()); !ok || h.prompt != 39999 {
		t.Errorf("found %+v, %v", h, ok)
	}
	if _, ok := a.find(conversation{key: "other", session: "a session of a client 39999", prefix: 7}, time.Now()); ok {
		t.Error("found for another key")
	}
}

func TestAffinityIsBounded(t *testing.T) {
	var a affinity
	now := time.Unix(1_800_000_000, 0)
	for i := range 5 * conversationMost {
		a.keep(conversation{prefix: uint64(i + 1)}, held{at: now})
	}
	if n := len(a.young) + len(a.old); n > 2*conversationMost {
		t.Errorf("%d conversations are kept", n)
	}
	if _, ok := a.find(conversation{prefix: 5 * conversationMost}, now); !ok {
		t.Error("the last one is forgotten")
	}
}
